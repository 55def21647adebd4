"""Connections are limited for each address, each principal and in total, and a flood affects only its owner."""

import asyncio
import errno
import gc
import socket
from contextlib import AsyncExitStack, ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.listening import acceptor, descriptors
from gateway.listening.connections import Connection, Connections, Ending
from gateway.listening.fair_queue import FairQueue
from gateway.listening.limits import ConnectionLimits
from gateway.listening.refused_connections import EVERY_S, Refusals
from tests.unit.listening.support import Client, Served, head, serving, until

GET = head("/x", method="GET")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Crowd:
    """Connections that are only counted; `ended` are those that were closed, with the reason."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.clock = Clock()
        self.events: list[dict[str, object]] = []
        self.ended: list[tuple[str, Ending]] = []
        self.answers = ExitStack()
        refusals = Refusals(lambda event, **fields: self.events.append(fields), self.clock)
        self.open = Connections(limits, refusals, self.clock)

    def admit(self, host: str) -> Connection | None:
        return self.open.admit(host, lambda why: self.ended.append((host, why)))

    def admitted(self, host: str, principal: str = "") -> Connection:
        made = self.admit(host)
        assert made is not None
        if principal:
            self.open.work(made)
            self.open.identify(made, principal)
        return made


def test_an_address_over_its_share_loses_its_own_oldest_connection() -> None:
    crowd = Crowd(ConnectionLimits(per_address=2, grace_s=0))
    crowd.admitted("192.0.2.7")
    first = crowd.admitted("192.0.2.1")
    second, third = crowd.admitted("192.0.2.1"), crowd.admitted("192.0.2.1")
    assert (first.open, second.open, third.open) == (False, True, True)
    assert crowd.ended == [("192.0.2.1", "room")]
    assert crowd.events[0]["limit"] == "connections_per_address"


def test_clients_that_connect_at_once_from_one_address_do_not_push_each_other_out() -> None:
    crowd = Crowd(ConnectionLimits(per_address=2, grace_s=1))
    burst = [crowd.admitted("192.0.2.1") for _ in range(9)]
    assert all(one.open for one in burst)
    crowd.clock.now += 1
    crowd.admitted("192.0.2.1")
    assert [one.open for one in burst].count(True) == 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_addresses_of_one_network_share(one: str, other: str, same: bool) -> None:
    crowd = Crowd(ConnectionLimits(per_address=1, grace_s=0))
    first = crowd.admitted(one)
    crowd.admitted(other)
    assert first.open is not same


@pytest.mark.parametrize("proxy", ["192.0.2.1", "2001:db8::1"])
def test_a_trusted_proxy_has_no_share_of_an_address(proxy: str) -> None:
    crowd = Crowd(ConnectionLimits(per_address=1, trusted=("192.0.2.0/24", "2001:db8::/32")))
    first = crowd.admitted(proxy)
    crowd.admitted(proxy)
    assert first.open


def test_a_request_under_way_and_a_known_principal_do_not_count_for_the_address() -> None:
    crowd = Crowd(ConnectionLimits(per_address=1, grace_s=0))
    busy, known = crowd.admitted("192.0.2.1"), crowd.admitted("192.0.2.2", "alice")
    crowd.open.work(busy)
    crowd.open.wait(known, 75)
    assert (crowd.admitted("192.0.2.1").open, crowd.admitted("192.0.2.2").open) == (True, True)
    assert (busy.open, known.open) == (True, True)


def test_the_address_with_the_most_waiting_connections_makes_room() -> None:
    crowd = Crowd(ConnectionLimits(total=20, per_address=100))
    victim = crowd.admitted("192.0.2.7")
    flood = [crowd.admitted("192.0.2.1") for _ in range(30)]
    assert victim.open
    assert crowd.admitted("192.0.2.8").open
    assert [one.open for one in flood].count(True) < 11
    assert len(crowd.open) == 10


def test_proxies_lose_connections_only_if_no_other_client_waits() -> None:
    crowd = Crowd(ConnectionLimits(total=6, trusted=("192.0.2.1",)))
    proxied = [crowd.admitted("192.0.2.1") for _ in range(2)]
    stranger = crowd.admitted("192.0.2.7")
    crowd.admitted("192.0.2.1")
    assert (all(one.open for one in proxied), stranger.open) == (True, False)
    crowd.admitted("192.0.2.1")
    assert not proxied[0].open


def test_the_principal_with_the_most_idle_connections_makes_room() -> None:
    crowd = Crowd(ConnectionLimits(total=4))
    alice = [crowd.admitted("192.0.2.1", "alice") for _ in range(3)]
    bob = crowd.admitted("192.0.2.2", "bob")
    for one in (*alice, bob):
        crowd.open.wait(one, 75)
    assert crowd.admitted("192.0.2.3").open
    assert [one.open for one in alice] == [False, True, True]
    assert bob.open


def test_a_connection_is_refused_only_when_every_other_has_a_request_under_way() -> None:
    crowd = Crowd(ConnectionLimits(total=2))
    for _ in range(2):
        crowd.admitted("192.0.2.1", "alice")
    assert crowd.open.full()
    assert crowd.admit("192.0.2.2") is None
    assert crowd.events[-1]["limit"] == "connections"


def test_a_closed_connection_waits_for_nothing() -> None:
    crowd = Crowd(ConnectionLimits(total=2))
    gone = crowd.admitted("192.0.2.1")
    crowd.open.leave(gone)
    crowd.open.wait(gone, 75)
    crowd.open.expect(gone, 75)
    for _ in range(2):
        crowd.admitted("192.0.2.2", "alice")
    assert crowd.open.full()


def held(crowd: Crowd, principal: str, size: int, *, stalled_s: float) -> Connection:
    """Return a connection of a principal that has read nothing for so long."""
    made = crowd.admitted("192.0.2.1", principal)
    crowd.answers.enter_context(crowd.open.unread(made, size))
    made.write_deadline = crowd.clock() - stalled_s + crowd.open.limits.stall_s
    return made


def test_an_answer_to_a_client_that_has_left_counts_for_nothing() -> None:
    crowd = Crowd(ConnectionLimits(unread_bytes=100))
    left = crowd.admitted("192.0.2.1", "mallory")
    crowd.open.leave(left)
    with crowd.open.unread(left, 1_000):
        pass
    alice = held(crowd, "alice", 80, stalled_s=20)
    held(crowd, "alice", 30, stalled_s=1)
    crowd.open.relieve()
    assert not alice.open


def test_the_slowest_reader_of_the_principal_with_the_most_is_cut_off() -> None:
    crowd = Crowd(ConnectionLimits(unread_bytes=100))
    bob = held(crowd, "bob", 40, stalled_s=20)
    alice = [held(crowd, "alice", 25, stalled_s=seconds) for seconds in (3, 9, 5)]
    crowd.open.relieve()
    assert [one.open for one in alice] == [True, False, True]
    assert bob.open
    assert crowd.events[-1]["limit"] == "unread_bytes"


def test_readers_that_make_progress_are_cut_off_only_far_above_the_limit() -> None:
    crowd = Crowd(ConnectionLimits(unread_bytes=100))
    quick = [held(crowd, "alice", 60, stalled_s=0.01) for _ in range(3)]
    crowd.open.relieve()
    assert all(one.open for one in quick)
    quick.append(held(crowd, "alice", 60, stalled_s=0.02))
    crowd.open.relieve()
    assert [one.open for one in quick].count(False) == 1


@given(st.lists(st.tuples(st.sampled_from(["add", "remove"]), st.sampled_from("abc"), st.integers(0, 5))))
def test_a_fair_queue_agrees_with_a_list(steps: list[tuple[str, str, int]]) -> None:
    queue, model = FairQueue[int](), list[tuple[str, int]]()
    for step, owner, member in steps:
        if step == "add":
            queue.add(owner, member)
            model += [] if (owner, member) in model else [(owner, member)]
        else:
            queue.remove(owner, member)
            model = [one for one in model if one != (owner, member)]
        counts = {each: sum(one[0] == each for one in model) for each in "abc"}
        assert len(queue) == len(model)
        assert all(queue.count(each) == counts[each] for each in counts)
        oldest = queue.oldest_of_most()
        most = [each for each in counts if counts[each] == max(counts.values())]
        firsts = {next((member for name, member in model if name == each), None) for each in most}
        assert oldest in firsts


def test_refusals_of_a_kind_are_reported_together() -> None:
    clock, events = Clock(), list[dict[str, object]]()
    refusals = Refusals(lambda event, **fields: events.append({"event": event, **fields}), clock)
    for _ in range(1000):
        refusals.note("head_s", "192.0.2.1")
    refusals.flush()
    assert [event["count"] for event in events] == [1]
    clock.now += EVERY_S
    refusals.flush()
    assert [event["count"] for event in events] == [1, 999]
    assert events[1]["event"] == "connections_refused"
    clock.now += EVERY_S
    refusals.flush()
    assert len(events) == 2


async def half(served: Served, stack: AsyncExitStack) -> Client:
    client = await stack.enter_async_context(served.client())
    await client.send(GET[:10])
    return client


async def test_half_heads_do_not_block_other_clients() -> None:
    limits = ConnectionLimits(total=40, per_address=1000)
    async with serving(limits) as served, AsyncExitStack() as stack:
        for _ in range(100):
            await half(served, stack)
        assert (await served.ask(GET)).status == 200
        assert served.server.unreachable() == ""
        assert len(served.server.open) <= 21


async def test_half_bodies_without_a_credential_do_not_block_other_clients() -> None:
    async with serving(ConnectionLimits(total=20, per_address=1000)) as served, AsyncExitStack() as stack:
        for _ in range(60):
            client = await stack.enter_async_context(served.client())
            await client.send(head("/read", "Content-Length: 10") + b"{")
        assert (await served.ask(GET)).status == 200
        assert served.server.unreachable() == ""


async def test_half_a_body_of_a_known_principal_makes_no_room() -> None:
    async with serving(ConnectionLimits(total=4)) as served, served.client() as alice, AsyncExitStack() as stack:
        await alice.send(head("/read", "Authorization: alice", "Content-Length: 2") + b"{")
        await until(lambda: bool(served.app.scopes))
        for _ in range(20):
            await half(served, stack)
        await until(lambda: len(served.server.open) <= 4)
        await alice.send(b"}")
        assert (await alice.answer()).status == 200


async def test_a_connection_that_makes_room_before_it_was_opened_is_closed() -> None:
    loop, clients = asyncio.get_running_loop(), list[socket.socket]()
    gc.disable()
    try:
        async with serving(ConnectionLimits(total=4, head_s=600)) as served, AsyncExitStack() as stack:
            for _ in range(40):  # all of them wait before the server takes its first turn
                client = stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
                client.settimeout(0)
                clients.append(client)
            ended = [asyncio.create_task(loop.sock_recv(client, 1)) for client in clients]
            await until(lambda: sum(task.done() for task in ended) >= 36)
            for task in ended:
                task.cancel()
            await asyncio.gather(*ended, return_exceptions=True)
    finally:
        gc.enable()


async def test_a_connection_without_room_is_answered_503() -> None:
    async with serving(ConnectionLimits(total=2)) as served, AsyncExitStack() as stack:
        for count in (1, 2):
            client = await stack.enter_async_context(served.client())
            await client.send(head("/hang", "Authorization: alice", method="GET"))
            await until(lambda count=count: len(served.app.scopes) == count)
        assert "connections are in use" in served.server.unreachable()
        async with served.client() as late:
            assert (await late.answer()).status == 503
            assert await late.ended() == b""
        served.app.hanging.set()
        await until(lambda: served.server.unreachable() == "")
        assert (await served.ask(GET)).status == 200


async def test_an_acceptor_without_descriptors_pauses_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0
    monkeypatch.setattr(acceptor, "PAUSE_S", 0.05)

    def none(_self: socket.socket) -> tuple[int, str]:
        nonlocal tries
        tries += 1
        raise OSError(errno.EMFILE, "Too many open files")

    async with serving() as served:
        with monkeypatch.context() as patched:
            patched.setattr(socket.socket, "_accept", none)
            asking = asyncio.create_task(served.ask(GET))
            await until(lambda: tries > 2)
            assert "Too many open files" in served.server.unreachable()
        assert (await asking).status == 200
        assert served.server.unreachable() == ""
        assert [event["limit"] for event in served.events] == ["descriptors"]


def test_the_limit_of_descriptors_is_raised_and_leaves_some_for_upstreams() -> None:
    assert descriptors.raise_limit() == descriptors.raise_limit()
    assert descriptors.connections_for(1024) == 448
    assert descriptors.connections_for(1 << 20) == 8192
    assert descriptors.connections_for(1) == 16
    assert descriptors.exhausted() == ""


def test_exhausted_descriptors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(descriptors.os, "open", none)
    assert descriptors.exhausted() == "Too many open files"
