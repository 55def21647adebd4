import asyncio
import os
import signal
import stat
from pathlib import Path

import pytest

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.opa.client import OpaClient
from gateway.opa.configuration import Memory
from gateway.opa.process import ManagedOpa, OpaUnsuitableError
from gateway.opa.transport import Exchanged
from gateway.opa.unix_transport import UnixTransport
from tests.unit.opa.support import Key, Log, MemoryHighwater, PolicyService, bundle, question, until


def client(opa: ManagedOpa) -> OpaClient:
    return OpaClient(UnixTransport(opa.socket), MemoryHighwater(), ids=lambda: "d")


def about(pid: int, what: str) -> bytes:
    """Return the kernel's information about a process, empty if there is no such process."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


async def first_verdict(policy: OpaClient, revision: str = "dev@aaaaaaaaaaaa.1") -> Verdict:
    async with asyncio.timeout(30):
        while True:
            verdict = await policy.decide(question())
            if isinstance(verdict, Verdict) and verdict.revision == revision:
                return verdict
            await asyncio.sleep(0.01)  # noqa: TID251 - the pause between two questions


async def test_it_decides_by_the_bundle_that_it_was_served(opa: ManagedOpa) -> None:
    policy = client(opa)
    verdict = await first_verdict(policy)
    assert [reason.requirement for reason in verdict.decision.reasons] == ["server_is_listed"]
    await policy.close()


async def test_its_directory_and_socket_are_private_and_its_environment_is_empty(opa: ManagedOpa) -> None:
    await until(opa.socket.exists)
    assert stat.S_IMODE(opa.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(opa.socket.stat().st_mode) == 0o700
    await until(lambda: b"run" in about(opa.pid, "cmdline").split(b"\0")[1:2])
    assert about(opa.pid, "environ") == b"GOGC=400\0"


async def test_the_boot_policy_opens_only_the_paths_of_the_gateway(opa: ManagedOpa) -> None:
    policy, carrier = client(opa), UnixTransport(opa.socket)
    await first_verdict(policy)
    opened = {
        "/health": None,
        "/health?bundles": None,
        "/v1/status": None,
        "/v1/data/mcp/admission/decision": b'{"input":{}}',
        "/v1/data/mcp/admission/listing": b'{"input":{}}',
    }
    closed = {
        "/": b"{}",
        "/metrics": None,
        "/v1/config": None,
        "/v1/data": b"{}",
        "/v1/data/mcp": b"{}",
        "/v1/data/mcp/admission": b"{}",
        "/v1/data/mcp/admission/decision/outcome": b"{}",
        "/v1/data/mcp/admission%2Fdecision": b"{}",
        "/v1/data/mcp/requirements/numbers_are_numbers/met": b"{}",
        "/v1/data/system": b"{}",
        "/v1/policies": None,
        "/v1/query": b'{"query":"data"}',
        "/v1/compile": b'{"query":"data.mcp"}',
        "/v0/data/mcp/admission/decision": b"{}",
        "/health/live": None,
    }
    statuses = {path: await carrier.exchange(path, body) for path, body in (opened | closed).items()}
    refused = {path for path, one in statuses.items() if isinstance(one, Exchanged) and one.status == 401}
    assert refused == set(closed)
    await policy.close()
    await carrier.close()


async def test_a_new_bundle_is_enforced_as_soon_as_it_is_published(
    opa: ManagedOpa, service: PolicyService, binary: Path, key: Key
) -> None:
    policy = client(opa)
    await first_verdict(policy)
    service.publish(bundle(binary, key, "dev@bbbbbbbbbbbb.2"), '"2"')
    await first_verdict(policy, "dev@bbbbbbbbbbbb.2")
    await policy.close()


@pytest.mark.parametrize("signer", [None, Key()])
async def test_a_bundle_without_our_signature_never_decides(
    signer: Key | None, binary: Path, key: Key, log: Log
) -> None:
    service = await PolicyService(key).start()
    service.publish(bundle(binary, signer, "dev@aaaaaaaaaaaa.1"), '"1"')
    opa = ManagedOpa(binary, service.source, report=log)
    await opa.check()
    opa.start()
    policy = client(opa)
    await until(lambda: service.requests >= 2)
    failure = await policy.decide(question())
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_unavailable"
    await policy.close()
    await opa.stop()
    await service.stop()


async def test_it_is_started_again_on_the_same_socket_when_it_dies(opa: ManagedOpa, log: Log) -> None:
    policy = client(opa)
    await first_verdict(policy)
    for _ in range(2):
        os.kill(opa.pid, signal.SIGKILL)
        ended = len(log.named("opa_ended"))
        await until(lambda ended=ended: len(log.named("opa_ended")) > ended)
        await first_verdict(policy)
    pauses = [event["restart_in_s"] for event in log.named("opa_ended")]
    assert pauses == [0.1, 0.2]
    await policy.close()


async def test_stopping_leaves_neither_process_nor_files(binary: Path, service: PolicyService, log: Log) -> None:
    opa = ManagedOpa(binary, service.source, report=log)
    await opa.check()
    opa.start()
    await until(opa.socket.exists)
    pid = opa.pid
    await opa.stop()
    assert opa.pid == 0
    assert about(pid, "cmdline") == b""
    assert not opa.socket.parent.exists()


async def test_memory_settings_are_the_whole_environment(binary: Path, service: PolicyService, log: Log) -> None:
    opa = ManagedOpa(binary, service.source, report=log, memory=Memory(gogc=1000, limit="600MiB"))
    await opa.check()
    opa.start()
    await until(opa.socket.exists)
    environment = about(opa.pid, "environ")
    assert set(environment.split(b"\0")) == {b"GOGC=1000", b"GOMEMLIMIT=600MiB", b""}
    await opa.stop()


@pytest.mark.parametrize("says", ["Version: 1.21.2", "Version: 0.70.0", "nothing", "Version: 1.22"])
async def test_an_old_opa_is_refused_at_start(says: str, tmp_path: Path, service: PolicyService, log: Log) -> None:
    binary = tmp_path / "opa"
    binary.write_text(f"#!/bin/sh\necho '{says}'\n")
    binary.chmod(0o755)
    opa = ManagedOpa(binary, service.source, report=log)
    with pytest.raises(OpaUnsuitableError, match=r"1\.22\.0"):
        await opa.check()
    await opa.stop()
    assert log.named("opa_started") == []


async def test_an_opa_that_is_not_there_is_refused_at_start(tmp_path: Path, service: PolicyService, log: Log) -> None:
    opa = ManagedOpa(tmp_path / "opa", service.source, report=log)
    with pytest.raises(OpaUnsuitableError, match="opa"):
        await opa.check()
    await opa.stop()


async def test_without_kernel_support_opa_ends_with_its_killed_parent_and_both_restart(
    binary: Path, service: PolicyService, log: Log
) -> None:
    opa = ManagedOpa(binary, service.source, report=log, keeper="pipe")
    await opa.check()
    opa.start()
    policy = client(opa)
    await first_verdict(policy)
    leash = opa.pid
    (child,) = about(leash, f"task/{leash}/children").split()
    os.kill(leash, signal.SIGKILL)
    await until(lambda: not about(int(child), "cmdline"))
    await until(lambda: len(log.named("opa_started")) == 2)
    await first_verdict(policy)
    await policy.close()
    await opa.stop()
    assert not about(opa.pid, "cmdline")
