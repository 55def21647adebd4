"""Lookups of host names, some of which get no answer."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from threading import Event, Lock, Thread
from typing import Any, Final

import pytest

from gateway.upstream import dns_lookups as lookups_module
from gateway.upstream.dns_lookups import DnsLookups
from gateway.upstream.failures import LOOKUP_FAILED, UNRESOLVED

_FOUND: Final = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 0))]


class NameServer:
    """Represents the operating system's resolver: names that begin with `hangs` get no answer until `ends`."""

    def __init__(self) -> None:
        self.ends = Event()
        self.asked: list[str] = []
        self._lock = Lock()

    def getaddrinfo(self, host: str, port: None, **_: Any) -> list[Any]:
        with self._lock:
            self.asked.append(host)
        if host.startswith("hangs"):
            assert self.ends.wait(30)
        if host.startswith("nobody"):
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        if host.startswith("x" * 64):
            raise UnicodeError("label too long")
        return _FOUND


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[NameServer]:
    made = NameServer()
    monkeypatch.setattr(socket, "getaddrinfo", made.getaddrinfo)
    yield made
    made.ends.set()


async def test_names_that_get_no_answer_keep_no_other_name_from_being_looked_up(server: NameServer) -> None:
    lookups = DnsLookups()
    waiting = [asyncio.create_task(lookups.addresses(f"hangs{number}.example")) for number in range(40)]
    async with asyncio.timeout(10):
        assert await lookups.addresses("mail.example") == ["192.0.2.1"]
    assert not any(task.done() for task in waiting)
    server.ends.set()
    assert await asyncio.gather(*waiting) == [["192.0.2.1"]] * 40


async def test_a_name_is_looked_up_once_for_all_that_wait_and_again_later(server: NameServer) -> None:
    lookups = DnsLookups(most=2)
    waiting = [asyncio.create_task(lookups.addresses("hangs.example")) for _ in range(100)]
    async with asyncio.timeout(10):
        assert await lookups.addresses("mail.example") == ["192.0.2.1"]
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    server.ends.set()
    assert await asyncio.gather(*waiting[1:]) == [["192.0.2.1"]] * 99
    assert sorted(server.asked) == ["hangs.example", "mail.example"]
    await lookups.addresses("mail.example")
    assert server.asked.count("mail.example") == 2


async def test_more_names_than_may_be_looked_up_at_once_wait(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []

    class CountedThread(Thread):
        def start(self) -> None:
            started.append(self.name)
            super().start()

    monkeypatch.setattr(lookups_module, "Thread", CountedThread)
    lookups = DnsLookups(most=2)
    waiting = [asyncio.create_task(lookups.addresses(f"hangs{number}.example")) for number in range(5)]
    while not started:
        await asyncio.sleep(0)  # noqa: TID251 - all five begin in the same pass of the event loop
    assert len(started) == 2
    server.ends.set()
    assert await asyncio.gather(*waiting) == [["192.0.2.1"]] * 5
    assert len(started) == 5


@pytest.mark.parametrize("host", ["192.0.2.7", "::1", "fe80::1%eth0"])
async def test_a_numeric_address_is_not_looked_up(host: str, server: NameServer) -> None:
    assert await DnsLookups().addresses(host) == [host]
    assert server.asked == []


@pytest.mark.parametrize("host", ["nobody.example", f"{'x' * 64}.example"])
async def test_a_name_that_does_not_resolve_has_no_address(host: str, server: NameServer) -> None:
    del server
    assert await DnsLookups().addresses(host) == UNRESOLVED


async def test_a_lookup_that_gets_no_thread_fails_and_a_later_one_does_not(
    server: NameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    del server

    def refused(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    lookups = DnsLookups(most=1)
    with monkeypatch.context() as patched:
        patched.setattr(Thread, "start", refused)
        assert await lookups.addresses("mail.example") == LOOKUP_FAILED
    assert await lookups.addresses("mail.example") == ["192.0.2.1"]


def test_a_lookup_may_end_after_its_event_loop_is_closed(server: NameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async def left() -> None:
        task = asyncio.create_task(DnsLookups().addresses("hangs.example"))
        while not server.asked:
            await asyncio.sleep(0.01)  # noqa: TID251 - until the thread runs
        task.cancel()

    failures: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    asyncio.run(left())
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "lookup"]
    server.ends.set()
    thread.join(10)
    assert not thread.is_alive()
    assert failures == []
