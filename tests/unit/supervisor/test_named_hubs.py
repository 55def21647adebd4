"""Stored stops belong to their hub, regardless of other hubs in the settings."""

import asyncio
import json
from pathlib import Path
from typing import Any

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.signing import ephemeral_key
from gateway.artifact.stops_bundle import Stop, emergency_bundle
from gateway.follow.acceptance import stops_in
from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, BundleEndpoint
from gateway.follow.bundle_endpoint_server import BundleServiceAddress
from gateway.settings import Settings, load
from gateway.supervisor.bundle_followers import following
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.stop_list import stopping
from tests.servers.stub_hub import EMERGENCY, TOKEN, stub_hub

KEY = ephemeral_key()
LATER = 4_000_000_000 * 10**9


def document(seq: int, *names: str) -> bytes:
    """Return a hub's document that stops these agents."""
    stops = [
        Stop(id=name, kind="agent", name=name, until_unix_ns=LATER, because="why", by="who", at="when")
        for name in names
    ]
    return emergency_bundle(stops, seq, KEY).content


def settings(root: Path, *urls: str) -> Settings:
    (root / "token").write_text(TOKEN)
    (root / "key.pem").write_text(KEY.public_pem)
    key: Any = {"file": "key.pem"}
    bundle: Any = {"urls": urls, "token_file": "token", "keys": [key], "emergency": key}
    policy = {"environment": "production", "bundle": bundle}
    (root / "gateway.yaml").write_text(json.dumps({"policy": policy, "state": {"directory": "state"}}))
    found = load(root / "gateway.yaml", {})
    assert isinstance(found, Settings), found
    return found


async def stopped(found: Settings, wanted: set[str]) -> None:
    """Wait until a gateway with these settings offers these stops to its OPA."""
    endpoint, bundle = BundleEndpoint("t"), found.policy.bundle
    assert bundle is not None
    feed = BundleServer(endpoint, BundleServiceAddress("http://h", "p", "t"))

    def note(_event: str, /, **_fields: Any) -> None:
        return

    offering = endpoint._offerings[EMERGENCY_RESOURCE]
    async with stopping(found, feed, note) as stops, following(found, bundle, feed, stops, note), asyncio.timeout(30):
        while offering.offer is None or names(offering.offer.content) != wanted:
            await asyncio.sleep(0.01)  # noqa: TID251 - until they are offered


def names(content: bytes) -> set[str]:
    artifact = read_artifact(content)
    assert isinstance(artifact, Artifact)
    stops = stops_in(artifact)
    assert isinstance(stops, tuple)
    return {each.name for each in stops}


async def test_stops_of_an_unreachable_hub_stay_when_another_hub_is_added(tmp_path: Path) -> None:
    async with stub_hub() as first, stub_hub() as second:
        first.publish(document(900, "bot"), EMERGENCY)
        await stopped(settings(tmp_path, first.url), {"bot"})
        await first.down()
        second.publish(document(5, "other"), EMERGENCY)
        await stopped(settings(tmp_path, second.url, f"{first.url}/"), {"bot", "other"})
