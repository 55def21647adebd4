"""Read calls are limited by role: beyond the limit they are refused, and other roles are not affected."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.hub.bearer_tokens import TokenHolder
from gateway.hub.concurrency import DOWNLOADS, LOOKS, ConcurrencyLimits, acting
from tests.unit.hub.conftest import Inside


class Slow:
    """Callers of one path that do not read the response."""

    def __init__(self) -> None:
        self.answered = 0

    async def send(self, _message: Any) -> None:
        self.answered += 1
        await asyncio.Event().wait()

    async def receive(self) -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}


@asynccontextmanager
async def slow(inside: Inside, role: str, path: str, count: int) -> AsyncGenerator[None]:
    """Keep this many calls of this role open while the block runs."""
    them = Slow()
    headers = [(name.encode(), value.encode()) for name, value in inside.ground.headers(role).items()]
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
    calls = [asyncio.ensure_future(inside.app(dict(scope), them.receive, them.send)) for _ in range(count)]
    async with asyncio.timeout(30):
        while them.answered < count:
            await asyncio.sleep(0)  # noqa: TID251 - until each has its answer before it
    yield
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


@pytest.mark.parametrize(("kind", "most"), [("artifact", DOWNLOADS), ("history", LOOKS)])
async def test_a_role_beyond_its_limit_gets_503_and_other_roles_do_not(inside: Inside, kind: str, most: int) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    path = f"/v1/artefacts/{first['digest']}" if kind == "artifact" else "/v1/history"
    async with slow(inside, "reader", path, most):
        refused = await inside.call("reader", "GET", path)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["remedy"] == "Retry in a moment."
        assert (await inside.call("publisher", "GET", path)).status_code == 200
        assert (await inside.poll()).status_code == 200
        assert (await inside.beat("one", "r")).status_code == 204
        await inside.publish(inside.bundle("y", 2), first["digest"])
        stop = {"kind": "agent", "name": "bot", "for_s": 60, "because": "x"}
        assert (await inside.call("responder", "POST", "/v1/stops", json=stop)).status_code == 201
        text = (await inside.call("", "GET", "/metrics")).text
        assert 'mcp_admission_hub_calls_refused_total{reason="busy"} 1.0' in text
    assert (await inside.call("reader", "GET", path)).status_code == 200


@pytest.mark.parametrize("role", ["reader", "gateway"])
async def test_a_large_answer_is_handed_over_in_pieces(
    inside: Inside, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setattr("gateway.follow.bundle_endpoint._PIECE", 7)
    content = inside.bundle("x", 1)
    first = await inside.publish(content)
    sizes: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sizes.append(len(message["body"]))
            assert message["more_body"] == (sum(sizes) < len(content))

    headers = [(name.encode(), value.encode()) for name, value in inside.ground.headers(role).items()]
    path = f"/v1/artefacts/{first['digest']}" if role == "reader" else "/bundles/production.tar.gz"
    scope: dict[str, Any] = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
    await inside.app(scope, Slow().receive, send)
    assert (sum(sizes), max(sizes)) == (len(content), 7)


def test_a_seat_is_given_back_and_each_role_has_its_own() -> None:
    seats = ConcurrencyLimits(1)
    with seats.taken("reader") as first, seats.taken("reader") as second, seats.taken("publisher") as other:
        assert (first, second, other) == (True, False, True)
    with seats.taken("reader") as again:
        assert again


def test_a_caller_with_several_roles_reads_with_the_most_powerful_one() -> None:
    both = TokenHolder(name="a", roles=("reader", "publisher"), sha256="")
    assert acting(both, ("reader", "publisher")) == "publisher"
    assert acting(both, ("reader", "responder")) == "reader"
