"""Requests to a bundle service, over real sockets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web

from gateway.artifact.rejection import Rejected
from gateway.follow import bundle_polling
from gateway.follow.bundle_polling import (
    BundleService,
    Fetched,
    Poller,
    PollTimeouts,
    ServiceUnreachable,
    Unchanged,
    apart_s,
    patience,
)

Answering = Callable[[web.Request], Awaitable[web.StreamResponse]]
TOKEN = "the-token"


class Here:
    """A service with the answers that a test sets."""

    def __init__(self) -> None:
        self.asked: list[web.Request] = []
        self.answer: Answering = self.unchanged
        self.url = ""

    async def unchanged(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=304)

    async def taken(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        return await self.answer(request)


@pytest_asyncio.fixture
async def here() -> AsyncIterator[Here]:
    found = Here()
    app = web.Application()
    app.router.add_get("/{path:.*}", found.taken)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield found
    await runner.cleanup()


@pytest_asyncio.fixture
async def poller(here: Here, tmp_path: Path) -> AsyncIterator[Poller]:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    service = BundleService(urls=(here.url,), token_file=tmp_path / "token", labels={"region": "eu", "tier": "a/b"})
    async with bundle_polling.polling(service, "bundles/x.tar.gz", PollTimeouts(0.2, 0.6)) as poller:
        yield poller


async def test_the_poller_sends_the_same_request_as_opa(here: Here, poller: Poller) -> None:
    assert await poller.ask(here.url, '"e"') == Unchanged()
    asked = here.asked[0]
    assert asked.path == "/bundles/x.tar.gz"
    assert asked.headers["Prefer"] == "modes=snapshot;wait=0.2"
    assert asked.headers["If-None-Match"] == '"e"'
    assert asked.headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked.query.getall("label") == ["region=eu", "tier=a/b"]
    assert await poller.ask(here.url, '"e"', hold=False) == Unchanged()
    assert here.asked[1].headers["Prefer"] == "modes=snapshot;wait=0"


async def test_a_bundle_comes_with_its_etag(here: Here, poller: Poller) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"bundle", headers={"ETag": '"n"'})

    here.answer = answer
    assert await poller.ask(f"{here.url}/", "") == Fetched(b"bundle", '"n"')
    assert "If-None-Match" not in here.asked[0].headers


@pytest.mark.parametrize(("status", "setting"), [(401, "token_file"), (403, "token_file"), (404, "channel")])
async def test_the_error_for_a_refused_request_names_the_setting_to_check(
    here: Here, poller: Poller, status: int, setting: str
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    here.answer = answer
    found = await poller.ask(here.url, "")
    assert isinstance(found, ServiceUnreachable)
    assert f"HTTP {status}: " in found.detail
    assert f"(`policy.bundle.{setting}`)" in found.detail


@pytest.mark.parametrize("status", [204, 206, 304, 400, 500, 503])
async def test_an_answer_with_another_status_is_unusable(here: Here, poller: Poller, status: int) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=status)

    here.answer = answer
    assert await poller.ask(here.url, "") == ServiceUnreachable(f"it answered HTTP {status}")


async def test_a_redirect_is_not_followed(here: Here, poller: Poller) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": f"{here.url}/elsewhere"})

    here.answer = answer
    assert await poller.ask(here.url, "") == ServiceUnreachable("it answered HTTP 302")
    assert len(here.asked) == 1, "the token was sent to no other server"


async def test_an_oversized_answer_is_not_read(here: Here, poller: Poller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_polling, "MOST_BYTES", 1000)

    async def said(_: web.Request) -> web.StreamResponse:
        return web.Response(body=bytes(1001))

    async def unsaid(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        for _ in range(100):
            await response.write(bytes(100))
        return response

    for answer in (said, unsaid):
        here.answer = answer
        assert await poller.ask(here.url, "") == Rejected("bundle_too_large", "the maximum is 1000 bytes")


async def test_an_incomplete_answer_is_unusable(here: Here, poller: Poller) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(bytes(10))
        assert request.transport is not None
        request.transport.abort()
        return response

    here.answer = answer
    assert isinstance(await poller.ask(here.url, ""), ServiceUnreachable)


@pytest.mark.parametrize("head", [True, False])
async def test_a_service_that_never_ends_its_answer_is_given_up(
    here: Here, poller: Poller, monkeypatch: pytest.MonkeyPatch, head: bool
) -> None:
    monkeypatch.setattr(bundle_polling, "BODY_S", 0.3)
    over = asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        if head:
            await response.prepare(request)
            await response.write(b"b")
        await over.wait()
        return response

    here.answer = answer
    assert await poller.ask(here.url, '"e"') == ServiceUnreachable("it did not answer in time")
    over.set()


async def test_an_absent_service_or_token_file_makes_the_service_unreachable(
    here: Here, poller: Poller, tmp_path: Path
) -> None:
    assert isinstance(await poller.ask("http://127.0.0.1:1", ""), ServiceUnreachable)
    (tmp_path / "token").write_text("another\n")
    await poller.ask(here.url, "")
    assert here.asked[-1].headers["Authorization"] == "Bearer another", "the file is read again"
    (tmp_path / "token").unlink()
    answer = await poller.ask(here.url, "")
    assert isinstance(answer, ServiceUnreachable)
    assert "the token cannot be read" in answer.detail
    assert len(here.asked) == 1


def test_a_silent_service_is_given_up_in_half_the_time_to_a_stale_policy() -> None:
    assert patience(None) == patience(86_400) == PollTimeouts(30, 15)
    for stale_s in (8, 20, 60, 200):
        given = patience(stale_s)
        assert given.wait_s + given.answer_s <= stale_s / 2
    assert patience(1) == PollTimeouts(2, 2), "a service needs this time to answer"


@pytest.mark.parametrize(
    ("date", "ahead_s"),
    [
        (0, 0),
        (-1, 0),
        (30, 0),
        (39, 0),
        (3630, 3600),
        (-3600, -3630),
        (-9, 0),
    ],
)
def test_clock_skew_is_reported_only_if_the_date_is_outside_the_request(date: float, ahead_s: float) -> None:
    began = 1_800_000_000.0
    assert apart_s(formatdate(began + date, usegmt=True), began, began + 30) == ahead_s


@pytest.mark.parametrize(
    ("aged", "ahead_s"), [("3600", 0), ("0", -3630), ("", -3630), ("-1", -3630), ("9" * 5000, -3630)]
)
def test_the_age_of_a_cached_answer_is_added_to_its_date(aged: str, ahead_s: float) -> None:
    assert apart_s(formatdate(0, usegmt=True), 3600, 3630, aged) == ahead_s


NO_DATES = ["", "yesterday", "Mon, 99 Jan 2026 00:00:00 GMT", "\x00", "Fri, 02 Jan 2026 00:00:00"]


@pytest.mark.parametrize("said", NO_DATES)
def test_an_invalid_date_reports_no_clock_skew(said: str) -> None:
    assert apart_s(said, 0, 30) == 0


async def test_each_answer_reports_the_clock_skew_of_its_service(here: Here, poller: Poller) -> None:
    clocks: list[tuple[str, float]] = []
    poller.on_clock = lambda url, ahead_s: clocks.append((url, ahead_s))

    kept: dict[str, str] = {}

    async def late(_: web.Request) -> web.StreamResponse:
        return web.Response(status=304, headers={"Date": formatdate(time.time() - 3600, usegmt=True)} | kept)

    await poller.ask(here.url, '"e"')
    here.answer = late
    await poller.ask(here.url, '"e"')
    assert clocks[0] == (here.url, 0)
    assert clocks[1][1] == pytest.approx(-3600, abs=60)
    kept["Age"] = "3600"
    await poller.ask(here.url, '"e"')
    assert clocks[2][1] == pytest.approx(0, abs=60)
