"""Failed fetches of an issuer's key set are logged with the URL, at most once a minute."""

import json
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import httpx
import pytest

from gateway.identity.jwks_fetch import EVERY_S, MAX_BYTES, HttpFetch

URL: Final = "https://id.example/keys"
KEYS: Final = json.dumps({"keys": []}).encode()
Answer = Callable[[httpx.Request], httpx.Response]


class World:
    """A fetch whose server and clock a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.answer: Answer = lambda _: httpx.Response(200, content=KEYS)
        self.fetch: Final = HttpFetch(clock=lambda: self.now, transport=httpx.MockTransport(self._answered))

    def _answered(self, request: httpx.Request) -> httpx.Response:
        return self.answer(request)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.fetch.close()


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.name == "gateway.identity.jwks_fetch"]


def answering(status: int, content: bytes = b"", **headers: str) -> Answer:
    return lambda _: httpx.Response(status, content=content, headers=headers)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("All connection attempts failed", request=request)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (unreachable, "All connection attempts failed"),
        (answering(503), "it returned HTTP 503"),
        (answering(302, location=URL), "it returned HTTP 302"),
        (answering(200, b"x" * (MAX_BYTES + 1)), f"it is larger than {MAX_BYTES} bytes"),
        (answering(200, b"<html>"), "it is an HTML or XML page, not a key set"),
        (answering(200, b'{"keys": 1}'), "it is JSON without a `keys` list"),
    ],
)
async def test_a_failed_fetch_is_logged_with_its_url_and_reason(
    world: World, caplog: pytest.LogCaptureFixture, answer: Answer, error: str
) -> None:
    world.answer = answer
    assert await world.fetch(URL) is None
    [line] = lines(caplog)
    assert (line["url"], line["error"], line["levelno"]) == (URL, error, logging.WARNING)


async def test_failures_are_logged_once_a_minute_with_how_many_were_left_out(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.answer = unreachable
    for _ in range(int(2 * EVERY_S / 5) + 1):
        await world.fetch(URL)
        world.now += 5
    assert [line["left_out"] for line in lines(caplog)] == [0, 11, 11]


async def test_that_it_can_be_had_again_is_logged_once(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.answer = unreachable
    await world.fetch(URL)
    world.answer = lambda _: httpx.Response(200, content=KEYS)
    assert await world.fetch(URL) == KEYS
    assert await world.fetch(URL) == KEYS
    assert [line["msg"] for line in lines(caplog)][1:] == ["the key set of an issuer can be fetched again"]
