"""Reading from connections in small pieces and in turns."""

import asyncio
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from gateway.pipeline.bounded_reads import READ_BYTES, PacedReading
from gateway.pipeline.loop_turns import SLICE_S

SENT = bytes(range(256)) * 1_024


class Reading(asyncio.Protocol):
    """Takes `slow_s` seconds for each piece."""

    def __init__(self, slow_s: float = 0.0) -> None:
        self.pieces: list[bytes] = []
        self.lost = asyncio.Event()
        self.steps: list[str] = []
        self.refuses = False
        self._slow_s = slow_s
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        self.steps.append("read")
        self.pieces.append(data)
        until = time.monotonic() + self._slow_s
        while time.monotonic() < until:
            pass

    def turn_key(self) -> str:
        return "key"

    def pause_reading(self) -> None:
        self.steps.append("pause")
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        self.steps.append("resume")
        if self._transport is not None and not self.refuses:
            self._transport.resume_reading()


@asynccontextmanager
async def connected(reading: Reading) -> AsyncGenerator[asyncio.StreamWriter]:
    """Connect a protocol with a writer."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        transport, _ = await loop.create_connection(lambda: PacedReading(reading), sock=ours)
        _, writer = await asyncio.open_connection(sock=theirs)
        try:
            yield writer
        finally:
            writer.close()
            transport.abort()


async def read_to_the_end(reading: Reading) -> None:
    """Let a protocol read the data, and check that it arrives completely."""
    async with connected(reading) as writer:
        writer.write(SENT)
        writer.close()
        await reading.lost.wait()
    assert b"".join(reading.pieces) == SENT


async def test_a_large_packet_is_read_in_pieces_and_nothing_is_lost() -> None:
    reading = Reading()
    await read_to_the_end(reading)
    assert max(map(len, reading.pieces)) <= READ_BYTES


async def test_a_connection_rests_after_each_piece_that_took_long() -> None:
    reading = Reading(slow_s=2 * SLICE_S)
    await read_to_the_end(reading)
    follows = [after for step, after in zip(reading.steps, reading.steps[1:], strict=False) if step == "read"]
    assert set(follows) == {"pause"}


async def test_connections_rest_when_reading_takes_a_quarter_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1.0]

    def clock() -> float:
        now[0] += SLICE_S / 4
        return now[0]

    monkeypatch.setattr("gateway.pipeline.bounded_reads.time.perf_counter", clock)
    reading = Reading()
    await read_to_the_end(reading)
    assert reading.steps.count("pause") >= 2


async def test_a_connection_that_has_another_reason_to_rest_does_not_go_on() -> None:
    reading = Reading(slow_s=2 * SLICE_S)
    reading.refuses = True
    async with connected(reading) as writer:
        writer.write(SENT)
        while "resume" not in reading.steps:
            await asyncio.sleep(SLICE_S)  # noqa: TID251 - polls a list
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reading.lost.wait(), 0.05)
    assert reading.steps == ["read", "pause", "resume"]
