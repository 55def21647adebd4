"""Several real gateways behind one hub: what it publishes and what it stops reaches every one of them."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest_asyncio

from tests import stopping
from tests.faults.behind import Counterpart, counterpart, entry
from tests.faults.wire import Got, Line
from tests.fleets import CHANNEL, Fleet, fleet
from tests.hubs import cli
from tests.running import Gateway, until

GATEWAYS: Final = 4
ALL: Final = ("--wait", "--at-least", str(GATEWAYS))


@pytest_asyncio.fixture
async def server() -> AsyncGenerator[Counterpart]:
    async with counterpart() as made:
        yield made


@pytest_asyncio.fixture
async def running(tmp_path: Path, server: Counterpart) -> AsyncGenerator[Fleet]:
    async with fleet(tmp_path, {"s": entry(server.url)}, GATEWAYS) as made:
        yield made


async def called(gateway: Gateway, tool: str = "echo") -> Got:
    return await Line(gateway.url("s")).called(tool)


async def revision(gateway: Gateway) -> str:
    """By which revision a gateway decides, as it tells whoever is refused."""
    message = (await called(gateway, "absent")).message
    return str(message["result"]["_meta"]["dev.admission/decision"]["revision"])


async def test_publishing_reaches_every_gateway_and_waits_for_the_last_and_a_stop_refuses_at_all(
    running: Fleet, server: Counterpart
) -> None:
    held, *others = running.gateways
    second = running.bundle(2)
    file = running.hub.ground.root / "bundle.tar.gz"
    await asyncio.to_thread(file.write_bytes, second.content)

    async def obeyed() -> bool | None:
        return {await revision(gateway) for gateway in others} == {second.revision} or None

    await asyncio.to_thread(stopping.stop, held.process.pid)
    try:
        words = ("bundle", "publish", str(file), "--to", running.hub.url, "--channel", CHANNEL, "--because", "x")
        publishing = asyncio.create_task(cli(running.hub.ground, *words, *ALL))
        await until(obeyed, lambda: "the others do not enforce it")
        assert await revision(held) == running.bundle(1).revision
        ended, _ = await asyncio.wait({publishing}, timeout=1)
        assert not ended, "it waits for the one that does not move"
    finally:
        os.kill(held.process.pid, signal.SIGCONT)
    code, out, err = await publishing
    assert (code, out.strip()) == (0, second.revision), err
    assert f"is enforced by {GATEWAYS} gateways of {CHANNEL}" in err
    assert [await revision(gateway) for gateway in running.gateways] == [second.revision] * GATEWAYS

    assert [(await called(gateway)).reason for gateway in running.gateways] == [""] * GATEWAYS
    words = ("stop", "--target", "s/echo", "--for", "1h", "--because", "It mails strangers", "--hub", running.hub.url)
    code, _, err = await cli(running.hub.ground, *words, *ALL, role="responder")
    assert (code, f"{GATEWAYS}/{GATEWAYS} gateways of emergency" in err) == (0, True), err
    server.begin()
    told = [(await called(gateway)).body.decode() for gateway in running.gateways]
    assert [("nothing_is_stopped" in each, "It mails strangers" in each) for each in told] == [(True, True)] * GATEWAYS
    assert server.effects == []
