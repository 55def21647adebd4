"""The control channel between supervisor and worker."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from gateway.opa.readiness_report import Readiness
from gateway.settings import SettingProblems, load
from gateway.supervisor.control_channel import (
    LARGEST,
    TO_SUPERVISOR,
    TO_WORKER,
    Ask,
    ControlChannel,
    Drain,
    Start,
    Told,
    opened,
)
from gateway.supervisor.settings_codec import packed, unpacked


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[tuple[ControlChannel, ControlChannel]]:
    ours, theirs = socket.socketpair()
    first, second = await opened(ours), await opened(theirs)
    yield first, second
    first.close()
    second.close()


async def test_messages_arrive_whole_and_in_order(pair: tuple[ControlChannel, ControlChannel]) -> None:
    first, second = pair
    start = Start(settings=b"s" * 300_000, worker=1, opa_socket="/s", sealing_keys=(b"k",), digest_key=b"d")
    sent = [start, Ask(7, "samples"), Drain()]
    for message in sent:
        first.send(message)
    assert [TO_WORKER.decode(await second.receive() or b"") for _ in sent] == sent


async def test_answers_carry_readiness_and_samples(pair: tuple[ControlChannel, ControlChannel]) -> None:
    first, second = pair
    sent = [Told(number=1, readiness=Readiness(missing=("opa",))), Told(number=2, samples=b"\x90")]
    for message in sent:
        first.send(message)
    assert [TO_SUPERVISOR.decode(await second.receive() or b"") for _ in sent] == sent


async def test_the_end_of_one_side_is_the_end_of_the_other(pair: tuple[ControlChannel, ControlChannel]) -> None:
    first, second = pair
    receiving = asyncio.create_task(second.receive())
    first.close()
    assert await asyncio.wait_for(receiving, 60) is None
    second.send(Drain())


@pytest.mark.parametrize("content", [b"\x00\x00", (LARGEST + 1).to_bytes(4, "big"), b"\x00\x00\x00\x09half"])
async def test_a_message_that_is_not_whole_or_too_large_is_the_end(content: bytes) -> None:
    ours, theirs = socket.socketpair()
    channel = await opened(ours)
    theirs.sendall(content)
    theirs.close()
    assert await asyncio.wait_for(channel.receive(), 5) is None
    channel.close()


@given(st.binary())
def test_any_bytes_are_a_message_or_nonsense(content: bytes) -> None:
    for decoder in (TO_WORKER, TO_SUPERVISOR):
        try:
            decoder.decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError):
            continue


def test_settings_arrive_as_they_were_checked(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("listen: {port: 9000, tls: {certificate: a.pem, key: b.pem}}\nheaders: [x-team]\nworkers: 3\n")
    settings = load(file, {})
    assert not isinstance(settings, SettingProblems)
    assert unpacked(packed(settings)) == settings
