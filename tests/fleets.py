"""Real gateways, as many as are wanted, that follow one real hub, all before the same servers.

Rule 1: they are started a few at a time and end all together, also where one of them does not start.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from msgspec import Struct

from gateway.artifact.pack import Packed
from tests.hubs import Ground, Hub, ground, serving
from tests.policies import compiled, packed
from tests.running import Gateway, running

AT_ONCE: Final = 4
CHANNEL: Final = "production"

_Entered = TypeVar("_Entered")


class Fleet(Struct, frozen=True):
    """A hub, and gateways that enforce what it serves."""

    hub: Hub
    gateways: Sequence[Gateway]
    files: Mapping[str, bytes]
    """Of the policy, which allows everything."""

    def bundle(self, seq: int) -> Packed:
        """Return the policy under a number; the gateways have begun with 1."""
        return packed(self.files, seq, self.hub.ground.key)


@asynccontextmanager
async def fleet(
    root: Path, servers: Mapping[str, str | Mapping[str, Any]], count: int, **more: Any
) -> AsyncGenerator[Fleet]:
    """Run a hub and `count` gateways until each is ready; `more` are settings of every gateway."""
    made = ground(root)
    (root / "emergency.pub.pem").write_text(made.emergency.public_pem, encoding="ascii")
    made.token_file("gateway")
    files = compiled(root, servers)  # here, not in a thread, which would go on writing after an interruption
    async with serving(made) as hub:
        await hub.publish(packed(files, 1, made.key).content)
        following = [_gateway(made, hub, number, more) for number in range(count)]
        async with together(following) as gateways:
            yield Fleet(hub, gateways, files)


def _gateway(made: Ground, hub: Hub, number: int, more: Mapping[str, Any]) -> AbstractAsyncContextManager[Gateway]:
    root = made.root / f"gateway-{number}"
    root.mkdir()
    bundle = {
        "urls": [hub.url],
        "channel": CHANNEL,
        "token_file": str(made.root / "gateway.token"),
        "keys": [{"file": str(made.root / "release.pub.pem")}],
        "emergency": {"file": str(made.root / "emergency.pub.pem")},
    }
    policy = {"directory": str(root / "policy"), "environment": "test", "bundle": bundle}
    return running(root, servers={}, settings={"id": f"gateway-{number}", "policy": policy, **more})


@asynccontextmanager
async def together(
    contexts: Sequence[AbstractAsyncContextManager[_Entered]], *, at_once: int = AT_ONCE
) -> AsyncGenerator[list[_Entered]]:
    """Enter these contexts, so many at once, and leave them all at once, each in the task that entered it."""
    turn, over = asyncio.Semaphore(at_once), asyncio.Event()
    entered: list[asyncio.Future[_Entered]] = [asyncio.get_running_loop().create_future() for _ in contexts]

    async def hold(context: AbstractAsyncContextManager[_Entered], found: asyncio.Future[_Entered]) -> None:
        async with AsyncExitStack() as stack:
            async with turn:
                found.set_result(await stack.enter_async_context(context))
            await over.wait()

    async with asyncio.TaskGroup() as group:
        for context, found in zip(contexts, entered, strict=True):
            group.create_task(hold(context, found))
        try:
            yield [await each for each in entered]
        finally:
            over.set()
