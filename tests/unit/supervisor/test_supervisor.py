"""The supervisor as a process: start, readiness, replacement of workers, and drain."""

import asyncio
import grp
import os
import signal
import socket
from pathlib import Path

import msgspec

from tests.unit.opa.support import until
from tests.unit.supervisor.support import Supervisor, about, alive


async def test_every_worker_serves_and_gets_keys_over_the_control_channel_only(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {}) as supervisor:
        pids = await supervisor.worker_pids()
        assert (await supervisor.call())["keys"] == [64, 32]
        assert await supervisor.answering(pids) == pids
        secret = (tmp_path / ".state" / "sealing" / "current").read_bytes()
        for pid in pids:
            shown = about(pid, "cmdline") + about(pid, "environ")
            assert secret not in shown
            assert secret.hex().encode() not in shown


async def test_workers_know_the_port_that_was_taken(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {}) as supervisor:
        url = (await supervisor.event("listening"))["url"]
        assert (await supervisor.call())["port"] == int(url.rpartition(":")[2])


async def test_a_worker_that_dies_is_replaced_and_the_other_one_is_left_alone(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {}) as supervisor:
        first, second = sorted(await supervisor.worker_pids())
        os.kill(first, signal.SIGKILL)
        await supervisor.event("worker_started", 3)
        pids = await supervisor.worker_pids()
        assert second in pids
        assert first not in pids
        assert await supervisor.answering(pids) == pids


async def test_connections_wait_while_the_only_worker_is_replaced(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 1}) as supervisor:
        (pid,) = await supervisor.worker_pids()
        os.kill(pid, signal.SIGKILL)
        assert (await supervisor.call())["pid"] != pid


async def test_a_terminated_worker_finishes_its_calls_and_is_replaced(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 1}) as supervisor:
        (pid,) = await supervisor.worker_pids()
        calling = asyncio.create_task(supervisor.call("/slow"))
        await supervisor.event("call_began")
        os.kill(pid, signal.SIGTERM)
        assert (await calling)["pid"] == pid
        await supervisor.event("worker_started", 2)
        assert (await supervisor.call())["pid"] != pid


async def test_sigterm_lets_calls_under_way_finish(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 1}) as supervisor:
        (pid,) = await supervisor.worker_pids()
        calling = asyncio.create_task(supervisor.call("/slow"))
        await supervisor.event("call_began")
        assert supervisor.process is not None
        supervisor.process.send_signal(signal.SIGTERM)
        await supervisor.event("draining")
        assert (await calling)["pid"] == pid
        assert await supervisor.ended() == 0
        assert not alive(pid)
        assert supervisor.named("worker_ended") == []


async def test_new_connections_are_refused_while_calls_under_way_finish(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"listen": {"port": 0, "drain_s": 8}}) as supervisor:
        await supervisor.worker_pids()
        port = int((await supervisor.event("listening"))["url"].rpartition(":")[2])
        calling = asyncio.create_task(supervisor.attempt("/endless"))
        await supervisor.event("call_began")
        assert supervisor.process is not None
        supervisor.process.send_signal(signal.SIGTERM)
        await until(lambda: not _connects(port))
        assert supervisor.process.returncode is None
        assert not calling.done()
        assert await supervisor.ended() == 0
        await calling


async def test_draining_is_bounded(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 1, "listen": {"port": 0, "drain_s": 1}}) as supervisor:
        (pid,) = await supervisor.worker_pids()
        calling = asyncio.create_task(supervisor.attempt("/endless"))
        await supervisor.event("call_began")
        assert await supervisor.ended(signal.SIGTERM) == 0
        assert not alive(pid)
        assert await calling is None


async def test_workers_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {}) as supervisor:
        pids = await supervisor.worker_pids()
        await supervisor.ended(signal.SIGKILL)
        await until(lambda: not any(alive(pid) for pid in pids))


async def test_readyz_lists_missing_conditions(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 1}, {"UNREADY": "1"}) as supervisor:
        await supervisor.call()
        status, body = await supervisor.admin("/readyz")
        assert status == 503
        assert msgspec.json.decode(body)["missing"] == {"worker 0": "journal"}


async def test_the_gateway_is_live_while_a_broken_worker_is_restarted(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 1}, {"BROKEN": "1"}) as supervisor:
        ended = await supervisor.event("worker_ended", 2)
        assert (ended["code"], ended["restart_in_s"]) == (3, 0.2)
        assert (await supervisor.admin("/livez"))[0] == 200
        status, body = await supervisor.admin("/readyz")
        assert (status, msgspec.json.decode(body)["missing"]) == (503, {"worker 0": "running"})


async def test_metrics_are_those_of_all_workers(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {}) as supervisor:
        await supervisor.ready()
        for _ in range(20):
            await supervisor.call()
        _, body = await supervisor.admin("/metrics")
        counts = [msgspec.json.decode(line)[0][1] for line in body.splitlines() if line.startswith(b"[")]
        assert (len(counts), sum(counts)) == (2, 20)
        assert b'mcp_admission_events_total{event="worker_started"} 2' in body.splitlines()


async def test_a_port_in_use_is_reported_and_nothing_starts(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with Supervisor(tmp_path, {"listen": {"port": port}}) as supervisor:
            assert await supervisor.ended() == 1
            await supervisor.event("start_failed")
            assert f"127.0.0.1:{port}" in supervisor.events[0]["reason"]
            assert len(supervisor.events) == 1


async def test_an_unknown_group_is_reported_and_nothing_starts(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"journal": {"group": "no-such-group"}}) as supervisor:
        assert await supervisor.ended() == 1
        reason = (await supervisor.event("start_failed"))["reason"]
        assert "`journal.group`: group `no-such-group` does not exist on this machine: create it" in reason


async def test_a_directory_that_the_group_may_not_pass_is_reported(tmp_path: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    async with Supervisor(tmp_path, {"journal": {"group": group}}) as supervisor:
        reported = await supervisor.event("journal_unreachable")
        await supervisor.event("listening")
        said = [one["detail"] for one in supervisor.named("journal_unreachable")]
        assert reported["group"] == group
        assert any(f"cannot enter {tmp_path}: chmod o+x {tmp_path}, or set" in detail for detail in said)
        assert (tmp_path / ".state" / "journal").stat().st_mode & 0o777 == 0o750


async def test_two_gateways_do_not_share_a_port(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    async with Supervisor(tmp_path / "a", {}) as first:
        port = int((await first.event("listening"))["url"].rpartition(":")[2])
        async with Supervisor(tmp_path / "b", {"listen": {"port": port}}) as second:
            assert await second.ended() == 1


def _connects(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=20).close()
    except ConnectionError:
        return False
    return True


async def test_readyz_reports_why_clients_cannot_connect_and_recovers(tmp_path: Path) -> None:
    listen = {"port": 0, "drain_s": 1, "connections": 2}
    async with Supervisor(tmp_path, {"workers": 1, "listen": listen}) as supervisor:
        await supervisor.ready()
        host, port = (await supervisor.event("listening"))["url"].removeprefix("http://").split(":")
        writers: list[asyncio.StreamWriter] = []
        for count in (1, 2):
            writers.append((await asyncio.open_connection(host, int(port)))[1])
            writers[-1].write(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            await supervisor.event("call_began", count)
        status, body = await supervisor.admin("/readyz")
        assert status == 503
        assert "all 2 connections are in use" in msgspec.json.decode(body)["missing"]["worker 0"]
        for writer in writers:
            writer.transport.abort()
        await supervisor.ready()
