"""Heartbeats: the revision that all workers enforce, sent at once on a change, regardless of the hub's state."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.follow.bundle_polling import BundleService
from gateway.supervisor.control_channel import Enforces
from gateway.supervisor.heartbeat import Heartbeat, HeartbeatSender, agreed, beating
from tests.servers.stub_hub import TOKEN, StubHub, stub_hub
from tests.unit.opa.support import until

ONE, TWO = Enforces("dev@aaaaaaaaaaaa.1", "emergency@b.1"), Enforces("dev@aaaaaaaaaaaa.2", "emergency@b.1")
LONG = 3600.0


@pytest.mark.parametrize(
    ("workers", "wanted"),
    [
        ([ONE, ONE], ONE),
        ([ONE, TWO], Enforces("", "emergency@b.1")),
        ([ONE, None], Enforces("", "")),
        ([None], Enforces("", "")),
        ([], Enforces("", "")),
    ],
)
def test_the_enforced_revision_is_the_one_of_all_workers(workers: list[Enforces | None], wanted: Enforces) -> None:
    assert agreed(workers) == wanted


@pytest_asyncio.fixture
async def hub() -> AsyncIterator[StubHub]:
    async with stub_hub() as hub:
        yield hub


def service(tmp_path: Path, *urls: str) -> BundleService:
    (tmp_path / "token").write_text(TOKEN)
    return BundleService(urls=urls, token_file=tmp_path / "token")


class Said:
    """Return the gateway's current heartbeat."""

    def __init__(self) -> None:
        self.revision = "dev@aaaaaaaaaaaa.1"

    def __call__(self, _url: str) -> Heartbeat:
        return Heartbeat(
            gateway="g",
            labels={"region": "eu"},
            channel="production",
            revision=self.revision,
            emergency="",
            problem="",
            version="1",
        )


def nothing(_url: str, why: str) -> None:
    assert not why, why


async def arrived(hub: StubHub, count: int) -> None:
    async with asyncio.timeout(30):
        while len(hub.beats) < count:
            hub.beaten.clear()
            await hub.beaten.wait()


async def test_a_change_is_reported_at_once_to_every_hub(hub: StubHub, tmp_path: Path) -> None:
    say = Said()
    async with stub_hub() as other, beating(service(tmp_path, hub.url, other.url), say, nothing, every_s=LONG) as heart:
        await arrived(hub, 1)
        await arrived(other, 1)
        assert set(hub.beats[0]) == {"gateway", "labels", "channel", "revision", "emergency", "problem", "version"}
        say.revision = "dev@aaaaaaaaaaaa.2"
        heart.wake()
        await arrived(hub, 2)
        await arrived(other, 2)
    assert [beat["revision"][-1] for beat in hub.beats] == ["1", "2"]


async def test_heartbeats_continue_without_a_change(hub: StubHub, tmp_path: Path) -> None:
    async with beating(service(tmp_path, hub.url), Said(), nothing, every_s=0.05):
        await arrived(hub, 3)


async def test_a_hub_that_is_away_hears_of_it_when_it_is_back(hub: StubHub, tmp_path: Path) -> None:
    await hub.down()
    async with beating(service(tmp_path, hub.url, "http://127.0.0.1:1"), Said(), nothing, every_s=0.05):
        await hub.up()
        await arrived(hub, 1)


async def test_a_service_that_wants_none_is_left_alone(hub: StubHub, tmp_path: Path) -> None:
    wanted = service(tmp_path, hub.url)
    (tmp_path / "token").write_text("not the hub's")
    async with beating(wanted, Said(), nothing, every_s=0.01) as heart:
        await asyncio.wait({asyncio.create_task(arrived(hub, 1))}, timeout=0.5)
        assert hub.beats == []
        assert hub.refused == 1
        (tmp_path / "token").write_text(TOKEN)
        heart.wake()
        await arrived(hub, 1)


async def test_a_refusal_of_the_name_is_reported_with_its_text_and_so_is_its_end(hub: StubHub, tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    heard = asyncio.Event()

    def said(url: str, why: str) -> None:
        told.append((url, why))
        heard.set()

    hub.refusal = {"error": "not as that", "remedy": "Correct it."}
    async with beating(service(tmp_path, hub.url), Said(), said, every_s=LONG) as heart:
        await asyncio.wait_for(heard.wait(), 30)
        hub.refusal = None
        heard.clear()
        heart.wake()
        await asyncio.wait_for(heard.wait(), 30)
    assert told == [(hub.url, "HTTP 403: not as that. Correct it."), (hub.url, "")]


@pytest.mark.parametrize("nonsense", [b"<html>", b"\xff", b'{"more": ' + b"[" * 4000])
async def test_an_unreadable_refusal_does_not_clear_the_reported_one(
    hub: StubHub, tmp_path: Path, nonsense: bytes
) -> None:
    told: list[str] = []
    hub.refusal = {"error": "not as that", "remedy": "Correct it."}
    async with beating(service(tmp_path, hub.url), Said(), lambda _, why: told.append(why), every_s=LONG) as heart:
        await until(lambda: len(told) == 1)
        hub.nonsense, hub.refusal = nonsense, None
        heart.wake()
        await until(lambda: hub.refused == 2)
        hub.nonsense = b""
        heart.wake()
        await until(lambda: len(told) == 2)
    assert told == ["HTTP 403: not as that. Correct it.", ""], "what cannot be read takes nothing back"
    assert len(hub.beats) == 1


async def test_news_at_the_end_do_not_prevent_the_end(hub: StubHub, tmp_path: Path) -> None:
    async with asyncio.timeout(30):
        async with beating(service(tmp_path, hub.url), Said(), nothing, every_s=LONG) as heart:
            await arrived(hub, 1)
            await settled(heart)
            heart.wake()


async def settled(heart: HeartbeatSender) -> None:
    """Wait until the sender waits for the next heartbeat."""
    await until(lambda: all(event._waiters for event in heart._woken.values()))
