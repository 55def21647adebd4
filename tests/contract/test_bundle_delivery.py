"""A real OPA follows the bundle endpoint: signatures verified, changes delivered, bad bundles kept out."""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import canonical, pack
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.artifact.stops_bundle import Stop, emergency_bundle
from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, Offer
from gateway.follow.bundle_endpoint_server import BundleServiceAddress, listening
from gateway.opa.configuration import BundleSource, EmergencySource, configuration

POLICY = b"package mcp.admission\n\nanswer := data.own.answer\n"
ODD: dict[str, Any] = {
    "\u2028 \u00e9 \U0001f600": ["\u0000\b\f\u007f <&>", 1.5, 1e300, -0.0, 2**63 - 1, None, True],
    "b": {"z": "", "a": "\u2029"},
}


def offer(answer: object, key: SigningKey, seq: int) -> Offer:
    files = {"mcp/admission/x.rego": POLICY, "data.json": canonical({"own": {"answer": answer}})}
    packed = pack(files, BundleMetadata(environment="dev", seq=seq), key=key)
    return Offer(f'"{seq}"', packed.content)


@asynccontextmanager
async def following(
    opa: Path, address: BundleServiceAddress, key: SigningKey, scratch: Path, stops: SigningKey | None = None
) -> AsyncGenerator[Callable[..., Any]]:
    source = BundleSource(
        url=address.url,
        resource=address.resource,
        token=address.token,
        keyid=key.keyid,
        public_key=key.public_pem,
        emergency=stops and EmergencySource(resource=address.emergency, keyid=stops.keyid, public_key=stops.public_pem),
    )
    config, socket = scratch / "config.json", scratch / "opa.sock"
    config.write_text(json.dumps(configuration(source)))
    command = [opa, "run", "--server", f"--addr=unix://{socket}", f"--config-file={config}", "--skip-version-check"]
    process = await asyncio.create_subprocess_exec(*command, "--log-level=error", env={})
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:

            async def ask(path: str = "data/mcp/admission/answer?provenance=true") -> Any:
                try:
                    async with session.get(f"http://opa/v1/{path}") as reply:
                        return await reply.json()
                except aiohttp.ClientConnectionError:
                    return None

            yield ask
    finally:
        process.kill()
        await process.wait()


async def until(ask: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(10):
        while not holds(answer := await ask()):
            await asyncio.sleep(0.01)  # noqa: TID251 - the pace of asking, bounded by the deadline
    return answer


def says(expected: object) -> Callable[[Any], bool]:
    return lambda answer: bool(answer) and "result" in answer and answer["result"] == expected


async def test_a_signed_bundle_is_activated_and_replaced_at_once(opa: Path, tmp_path: Path) -> None:
    key = ephemeral_key()
    async with listening() as (endpoint, address), following(opa, address, key, tmp_path) as ask:
        endpoint.put(offer(ODD, key, 1))
        answer = await until(ask, says(ODD))
        assert answer["provenance"]["bundles"]["policy"]["revision"].endswith(".1")
        endpoint.put(offer("second", key, 2))
        answer = await until(ask, says("second"))
        assert answer["provenance"]["bundles"]["policy"]["revision"].endswith(".2")


async def test_a_bundle_signed_by_another_key_never_becomes_active(opa: Path, tmp_path: Path) -> None:
    key = ephemeral_key()
    async with listening() as (endpoint, address), following(opa, address, key, tmp_path) as ask:
        endpoint.put(offer("first", key, 1))
        await until(ask, says("first"))
        endpoint.put(offer("forged", ephemeral_key(), 2))
        await until(lambda: ask("status"), refused)
        assert says("first")(await ask())
        endpoint.put(offer("third", key, 3))
        await until(ask, says("third"))


def refused(status: Any, bundle: str = "policy") -> bool:
    return status["result"]["bundles"][bundle].get("code") == "bundle_error"


async def test_an_unsigned_bundle_never_becomes_active(opa: Path, tmp_path: Path) -> None:
    key = ephemeral_key()
    files = {"mcp/admission/x.rego": POLICY, "data.json": canonical({"own": {"answer": "tampered"}})}
    async with listening() as (endpoint, address), following(opa, address, key, tmp_path) as ask:
        endpoint.put(offer("first", key, 1))
        await until(ask, says("first"))
        endpoint.put(Offer('"2"', pack(files, BundleMetadata(environment="dev", seq=2), key=None).content))
        await until(lambda: ask("status"), refused)
        assert says("first")(await ask())


STOP = Stop(id="s1", kind="agent", name="bot", until_unix_ns=9, because="why", by="who", at="when")
UNSCOPED = BundleMetadata(environment="emergency", seq=3)
STOPPED = "data/emergency/agent/bot?provenance=true"


async def test_stops_are_a_bundle_beside_the_policy_and_either_is_replaced_alone(opa: Path, tmp_path: Path) -> None:
    key, stops = ephemeral_key(), ephemeral_key()
    async with listening() as (endpoint, address), following(opa, address, key, tmp_path, stops) as ask:
        endpoint.put(offer("first", key, 1))
        endpoint.put(Offer('"1"', emergency_bundle([], 1, stops).content), EMERGENCY_RESOURCE)
        await until(ask, says("first"))
        await until(lambda: ask("data/emergency/schema"), says("mcp.emergency/v1"))
        endpoint.put(Offer('"2"', emergency_bundle([STOP], 2, stops).content), EMERGENCY_RESOURCE)
        told = await until(lambda: ask(STOPPED), lambda answer: bool(answer) and "result" in answer)
        assert told["provenance"]["bundles"]["emergency"]["revision"].endswith(".2")
        assert told["provenance"]["bundles"]["policy"]["revision"].endswith(".1")
        assert told["result"][0]["id"] == "s1"


async def test_neither_key_and_no_use_stands_in_for_the_other(opa: Path, tmp_path: Path) -> None:
    key, stops = ephemeral_key(), ephemeral_key()
    async with listening() as (endpoint, address), following(opa, address, key, tmp_path, stops) as ask:
        endpoint.put(offer("first", key, 1))
        endpoint.put(Offer('"1"', emergency_bundle([STOP], 1, stops).content), EMERGENCY_RESOURCE)
        await until(lambda: ask(STOPPED), lambda answer: bool(answer) and "result" in answer)
        endpoint.put(Offer('"2"', emergency_bundle([], 2, key).content), EMERGENCY_RESOURCE)
        await until(lambda: ask("status"), lambda told: refused(told, "emergency"))
        unscoped = pack({"data.json": canonical({"emergency": {}})}, UNSCOPED, key=stops, roots=("emergency",))
        endpoint.put(Offer('"3"', unscoped.content), EMERGENCY_RESOURCE)
        endpoint.put(offer("forged", stops, 2))
        await until(lambda: ask("status"), refused)
        assert says("first")(await ask())
        assert (await ask(STOPPED))["result"][0]["id"] == "s1"
