"""An OPA that the gateway does not own: over TCP with TLS and token, killed and replaced during calls."""

import asyncio
import json
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.policy_input import Gateway
from gateway.opa import configuration
from gateway.opa.aiohttp_transport import RemoteOpa, remote_exchange
from gateway.opa.binary import obtain
from gateway.opa.client import OpaClient
from gateway.opa.opa_status import RemoteOpaStatus
from gateway.opa.readiness_probe import ReadinessProbe
from tests.unit.opa.support import Key, MemoryHighwater, PolicyService, bundle, question
from tests.unit.supervisor.certificates import write_certificate

SECRET: Final = "the-token-of-this-opa"
BOOT: Final = configuration.BOOT.replace('input.method == "', f'input.identity == "{SECRET}"\n\tinput.method == "')


class Elsewhere:
    """An OPA as another team would run it."""

    def __init__(self, binary: Path, directory: Path, service: PolicyService) -> None:
        self._binary = binary
        self._directory = directory
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        write_certificate(directory / "tls.crt", directory / "tls.key", "opa")
        (directory / "config.json").write_text(json.dumps(configuration.configuration(service.source)))
        (directory / "authz.rego").write_text(BOOT)
        self._process: asyncio.subprocess.Process | None = None

    def remote(self, token: str = SECRET, ca_file: str | None = None) -> RemoteOpa:
        authorities = str(self._directory / "tls.crt") if ca_file is None else ca_file
        return RemoteOpa(url=f"https://127.0.0.1:{self._port}", token=token, ca_file=authorities)

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            self._binary,
            *["run", "--server", f"--addr=https://127.0.0.1:{self._port}", "--log-level=error"],
            *[
                f"--tls-cert-file={self._directory / 'tls.crt'}",
                f"--tls-private-key-file={self._directory / 'tls.key'}",
            ],
            *["--authentication=token", "--authorization=basic", "--skip-version-check"],
            *[f"--config-file={self._directory / 'config.json'}", self._directory / "authz.rego"],
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


@pytest_asyncio.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Elsewhere]:
    key, binary = Key(), obtain(print)
    service = await PolicyService(key).start()
    service.publish(bundle(binary, key, "dev@aaaaaaaaaaaa.1"), '"1"')
    opa = Elsewhere(binary, tmp_path, service)
    await opa.start()
    yield opa
    await opa.kill()
    await service.stop()


def asking(remote: RemoteOpa) -> OpaClient:
    return OpaClient(remote_exchange(remote), MemoryHighwater(), ids=lambda: "d")


async def decided(client: OpaClient) -> Verdict:
    async with asyncio.timeout(30):
        while not isinstance(outcome := await client.decide(question()), Verdict):
            await asyncio.sleep(0.02)  # noqa: TID251 - the pause between two questions
    return outcome


async def test_it_decides_over_tls_with_a_token(elsewhere: Elsewhere) -> None:
    client = asking(elsewhere.remote())
    assert (await decided(client)).revision == "dev@aaaaaaaaaaaa.1"
    await client.close()


@pytest.mark.parametrize("wrong", ["token", "authority"])
async def test_a_wrong_token_and_an_unknown_authority_are_denials(elsewhere: Elsewhere, wrong: str) -> None:
    right, remote = asking(elsewhere.remote()), elsewhere.remote()
    await decided(right)
    remote = elsewhere.remote(token="guessed") if wrong == "token" else elsewhere.remote(ca_file="")
    client = asking(remote)
    outcome = await client.decide(question())
    assert isinstance(outcome, PolicyFailure)
    assert outcome.code == "policy_unavailable"
    await client.close()
    await right.close()


async def test_a_killed_opa_denies_during_calls_and_its_successor_decides(elsewhere: Elsewhere) -> None:
    client = asking(elsewhere.remote())
    await decided(client)
    outcomes: list[Verdict | PolicyFailure] = []

    async def call() -> None:
        outcomes.extend([await client.decide(question()) for _ in range(30)])

    calling = asyncio.gather(*(call() for _ in range(4)))
    await elsewhere.kill()
    await calling
    assert {one.code for one in outcomes if isinstance(one, PolicyFailure)} == {"policy_unavailable"}
    assert isinstance(await client.decide(question()), PolicyFailure)
    await elsewhere.start()
    await decided(client)
    await client.close()


async def test_its_pulse_is_felt_through_opa_python_client(elsewhere: Elsewhere) -> None:
    client, vitals = asking(elsewhere.remote()), RemoteOpaStatus(elsewhere.remote())
    pulse = ReadinessProbe(client, vitals, gateway=Gateway(id="g", version="0"))
    async with asyncio.timeout(30):
        while (readiness := await pulse.beat()).missing:
            await asyncio.sleep(0.02)  # noqa: TID251 - the pause between two beats
    assert readiness.revision == "dev@aaaaaaaaaaaa.1"
    status = await vitals.status()
    assert status is not None
    assert status.active_revision == "dev@aaaaaaaaaaaa.1"
    await elsewhere.kill()
    assert len((await pulse.beat()).missing) == 2
    assert await vitals.status() is None
    await vitals.close()
    await client.close()
