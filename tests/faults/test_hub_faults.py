"""A hub whose disk is full, whose callers are slow or send too much: the old revision stays, and it says so."""

import asyncio
import secrets
import socket
import subprocess
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.artifact.artifact import MOST_BYTES
from gateway.hub.concurrency import DOWNLOADS
from tests.hubs import Ground, Hub, bundle, ground, serving
from tests.opas import STOPPED, following
from tests.running import until

SIZE = "512k"


@pytest.fixture
def small(tmp_path: Path) -> Generator[Path]:
    """A file system of its own with room for a few bundles."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(directory))
    subprocess.run(mount, check=True)
    try:
        yield directory
    finally:
        subprocess.run(("umount", "--lazy", str(directory)), check=True)


def fill(directory: Path) -> Path:
    """Leave not a byte of room; returns what to remove."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return ballast


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.environment("tmpfs")
async def test_on_a_full_disk_nothing_moves_and_what_was_published_goes_on_being_served(
    tmp_path: Path, small: Path
) -> None:
    made = ground(tmp_path, directory=str(small / "hub"))
    async with serving(made) as hub, following(made, hub.url) as opa:
        first = await hub.publish(bundle("first", made.key, 1))
        await opa.answers("first")
        taken = (await hub.call("publisher", "POST", "/v1/artefacts", content=bundle("second", made.key, 2))).json()
        before = await asyncio.to_thread(tree, small / "hub")
        ballast = await asyncio.to_thread(fill, small)

        move = {"digest": taken["digest"], "because": "x", "expected": first["digest"]}
        stop = {"kind": "agent", "name": "bot", "for_s": 600, "because": "x"}
        for refused in (
            await hub.call("publisher", "POST", "/v1/artefacts", content=bundle("third", made.key, 3)),
            await hub.call("publisher", "PUT", "/v1/channels/production", json=move),
            await hub.call("responder", "POST", "/v1/stops", json=stop),
        ):
            assert refused.status_code == 507, refused.text
            assert "nothing has changed" in refused.json()["error"]
        assert await asyncio.to_thread(tree, small / "hub") == before
        shown = (await hub.call("reader", "GET", "/v1/channels")).json()["channels"]
        assert shown == [first]
        assert (await opa.ask())["result"] == "first"
        assert "mcp_admission_hub_storage_failing 1.0" in (await hub.call("reader", "GET", "/metrics")).text
        assert hub.events("storage_failed")

        await asyncio.to_thread(ballast.unlink)
        assert (await hub.call("publisher", "PUT", "/v1/channels/production", json=move)).status_code == 200
        await opa.answers("second")
        assert (await hub.call("responder", "POST", "/v1/stops", json=stop)).status_code == 201
        await opa.answers(["bot"], STOPPED)


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncGenerator[Hub]:
    made: Ground = ground(tmp_path)
    async with serving(made) as hub:
        await hub.publish(bundle("first", made.key, 1))
        yield hub


async def upload(hub: Hub, *lines: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Begin an upload on a connection of one's own."""
    parts = urlsplit(hub.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = ("POST /v1/artefacts HTTP/1.1", "Host: hub", *lines)
    writer.write(("\r\n".join(head) + "\r\n\r\n").encode())
    return reader, writer


def authorized(hub: Hub) -> str:
    return f"Authorization: Bearer {hub.ground.tokens['publisher']}"


async def test_a_huge_upload_is_refused_while_it_comes_and_nothing_is_kept_of_it(hub: Hub) -> None:
    reader, writer = await upload(hub, authorized(hub), f"Content-Length: {1 << 40}")
    answered = asyncio.create_task(reader.readline())
    sent = 0
    while not answered.done() and sent < 2 * MOST_BYTES:
        writer.write(bytes(1 << 20))
        sent += 1 << 20
        try:
            await writer.drain()
        except ConnectionError:
            break
    assert (await asyncio.wait_for(answered, 60)).startswith(b"HTTP/1.1 413")
    writer.close()
    assert len(list((hub.ground.directory / "artefacts").iterdir())) == 1


async def test_a_stranger_is_turned_away_before_their_body_is_read(hub: Hub) -> None:
    reader, writer = await upload(hub, f"Content-Length: {1 << 30}")
    assert (await asyncio.wait_for(reader.readline(), 60)).startswith(b"HTTP/1.1 401")
    writer.close()


async def test_uploads_that_never_end_keep_nobody_from_publishing(hub: Hub) -> None:
    stuck = [await upload(hub, authorized(hub), "Content-Length: 1000") for _ in range(20)]
    pointer = await asyncio.wait_for(hub.publish(bundle("second", hub.ground.key, 2)), 60)
    assert pointer["seq"] == 2
    for _, writer in stuck:
        writer.close()


async def narrow(hub: Hub, place: str) -> socket.socket:
    """Ask for something large as a reader, and take no more than how the answer begins."""
    parts, loop = urlsplit(hub.url), asyncio.get_running_loop()
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    taken.setblocking(False)
    await loop.sock_connect(taken, (parts.hostname, parts.port))
    lines = (f"GET {place} HTTP/1.1", "Host: hub", f"Authorization: Bearer {hub.ground.tokens['reader']}")
    await loop.sock_sendall(taken, ("\r\n".join(lines) + "\r\n\r\n").encode())
    assert await asyncio.wait_for(loop.sock_recv(taken, 12), 60) == b"HTTP/1.1 200"
    return taken


async def test_readers_who_take_nothing_keep_nobody_but_readers_from_anything(hub: Hub) -> None:
    large = bundle(secrets.token_hex(8 << 20), hub.ground.key, 2)
    pointer = await hub.publish(large)
    place = f"/v1/artefacts/{pointer['digest']}"
    stuck = [await narrow(hub, place) for _ in range(DOWNLOADS)]

    async def answered(status: int) -> bool | None:
        found = await hub.call("reader", "GET", place)
        assert found.status_code != 503 or found.headers["retry-after"] == "1"
        return found.status_code == status or None

    assert await answered(503), "readers are not bounded"
    assert (await hub.call("publisher", "GET", place)).content == large
    assert (await hub.call("reader", "GET", "/v1/channels")).status_code == 200
    assert (await hub.call("gateway", "GET", "/bundles/production.tar.gz")).content == large
    stop = {"kind": "agent", "name": "bot", "for_s": 600, "because": "x"}
    assert (await hub.call("responder", "POST", "/v1/stops", json=stop)).status_code == 201
    for taken in stuck:
        taken.close()
    await until(lambda: answered(200), lambda: "the seats are not given back")


async def test_a_publisher_that_goes_away_in_the_middle_leaves_nothing_behind(hub: Hub) -> None:
    before = tree(hub.ground.directory)
    content = bundle("second", hub.ground.key, 2)
    _, writer = await upload(hub, authorized(hub), f"Content-Length: {len(content)}")
    writer.write(content[:-10])
    await writer.drain()
    writer.transport.abort()
    assert (await hub.call("reader", "GET", "/v1/channels")).status_code == 200
    assert tree(hub.ground.directory) == before


async def test_a_second_hub_on_the_same_ground_cannot_start_on_its_port_and_harms_nothing(hub: Hub) -> None:
    port = urlsplit(hub.url).port
    with pytest.raises(AssertionError, match="the hub did not start"):
        async with serving(hub.ground, port=port):
            pass
    assert (await hub.call("reader", "GET", "/v1/channels")).status_code == 200


@pytest.mark.parametrize("damage", ["moves.jsonl", "channels/production.json", "stops.json", "artefacts"])
async def test_a_hub_whose_directory_is_damaged_says_so_and_serves_nothing(hub: Hub, damage: str) -> None:
    hub.process.kill()
    await asyncio.to_thread(hub.process.wait)
    place = hub.ground.directory / damage
    damaged = next(place.iterdir()) if place.is_dir() else place
    damaged.write_bytes(b"damaged\n")
    with pytest.raises(AssertionError, match=r"start_failed.*restore (?:it|the file)"):
        async with serving(hub.ground):
            pass
