"""Stops of a followed hub are offered to OPA at once, even if the disk is slow."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.signing import ephemeral_key
from gateway.artifact.stop_file import Stops
from gateway.artifact.stops_bundle import emergency_bundle
from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, BundleEndpoint
from gateway.follow.bundle_endpoint_server import BundleServiceAddress
from gateway.follow.follower import Followed
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.supervisor.bundle_followers import HUB_STOPS, BundleFollowers
from gateway.supervisor.bundle_server import BundleServer
from gateway.supervisor.stop_list import StopList
from tests.running import until

SEQ = 5
HUB = "https://hub.example"


class Disk(HighwaterFile):
    """A disk that blocks until it is released, and then fails on request."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.free = threading.Event()
        self.full = False

    def raise_to(self, environment: str, seq: int) -> None:
        self.free.wait(60)
        if self.full:
            raise OSError(28, "No space left on device")
        super().raise_to(environment, seq)


class Bed:
    def __init__(self, directory: Path) -> None:
        self.disk = Disk(directory / "journal")
        self.noted: list[str] = []
        self.endpoint = BundleEndpoint("t")
        feed = BundleServer(self.endpoint, BundleServiceAddress("http://h", "p", "t"))
        stops = StopList(Stops(directory), feed, self.note, floor=0, follows=True)
        stops.look()
        self.following = BundleFollowers(feed, stops, self.note, self.disk, hubs=[HUB])

    def note(self, event: str, /, **_fields: Any) -> None:
        self.noted.append(event)

    @property
    def offered(self) -> bool:
        return self.endpoint._offerings[EMERGENCY_RESOURCE].offer is not None


@pytest.fixture
async def bed(tmp_path: Path) -> AsyncGenerator[Bed]:
    made = Bed(tmp_path)
    yield made
    made.disk.free.set()


def stops() -> Artifact:
    found = read_artifact(emergency_bundle([], SEQ, ephemeral_key()).content)
    assert isinstance(found, Artifact)
    return found


async def test_stops_of_a_hub_are_offered_before_their_number_is_on_the_disk(bed: Bed) -> None:
    bed.following.emergency(HUB, HUB_STOPS, Followed(stops()))
    assert bed.offered
    assert bed.disk.seen(HUB_STOPS) == 0
    bed.disk.free.set()

    async def kept() -> bool | None:
        return await asyncio.to_thread(bed.disk.seen, HUB_STOPS) == SEQ or None

    await until(kept, lambda: "the number was never kept")
    assert "emergency_cache_write_failed" not in bed.noted


async def test_a_number_that_cannot_be_stored_is_logged(bed: Bed) -> None:
    bed.disk.full = True
    bed.disk.free.set()
    bed.following.emergency(HUB, HUB_STOPS, Followed(stops()))

    async def told() -> bool | None:
        return "emergency_cache_write_failed" in bed.noted or None

    await until(told, lambda: f"it is not logged: {bed.noted}")
    assert bed.offered
