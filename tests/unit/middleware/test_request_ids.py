"""Names of requests."""

from starlette.types import Receive, Scope, Send

from gateway.middleware import RequestIds, current
from tests.unit.middleware.support import Inner, asked


async def test_every_answer_carries_a_name_of_its_own() -> None:
    app = RequestIds(Inner(), "abc")
    names = [dict((await asked(app, []))[0]["headers"])[b"x-request-id"] for _ in range(2)]
    assert names == [b"abc-1", b"abc-2"]


async def test_a_clients_own_name_is_not_taken_over() -> None:
    sent = await asked(RequestIds(Inner(), "abc"), [(b"x-request-id", b"other")])
    assert sent[0]["headers"] == [(b"a", b"b"), (b"x-request-id", b"abc-1")]


async def test_the_name_is_known_while_the_request_lasts() -> None:
    known: list[str] = []

    async def inner(scope: Scope, receive: Receive, send: Send) -> None:
        known.append(current.get())

    await asked(RequestIds(inner, "abc"), [])
    assert (known, current.get()) == (["abc-1"], "")


async def test_other_scopes_have_no_name() -> None:
    inner = Inner()
    assert await asked(RequestIds(inner), [], type="lifespan") == []
    assert len(inner.scopes) == 1
