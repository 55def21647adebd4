"""Watch the hub directory for changes by other processes, such as `bundle publish --to DIR` on the same machine.

Rule 1: a changed pointer is checked like an upload. If the check fails, the refusal is logged and the previous bundle
is still served.
"""

import asyncio
import time
from typing import Final

from gateway.artifact.rejection import Rejected
from gateway.hub.artifact_store import ArtifactStore
from gateway.hub.channel_pointer import Pointer
from gateway.hub.channels import Channels
from gateway.hub.credentials import Credentials
from gateway.hub.metrics import HubEventLog
from gateway.hub.upload_checks import admitted

LOOK_S: Final = 1.0


class HubDirectoryWatcher:
    """Compares the served channels with the pointers on disk; hold `moving` while the hub itself moves a pointer."""

    def __init__(self, store: ArtifactStore, channels: Channels, trust: Credentials, report: HubEventLog) -> None:
        self.moving: Final = asyncio.Lock()
        self._store = store
        self._channels = channels
        self._trust = trust
        self._report = report
        self._told = ""

    async def follow(self) -> None:
        """Check the directory periodically, until canceled."""
        while True:
            await asyncio.sleep(LOOK_S)  # noqa: TID251 - the interval between checks
            await self.look()

    async def look(self) -> None:
        """Serve the artifacts that the pointers name now."""
        async with self.moving:
            try:
                found = await asyncio.to_thread(self._changed)
            except OSError as error:
                self._tell("directory_unreadable", error=str(error))
                return
            for pointer, content in found:
                self._channels.put(pointer, content)
                self._report(
                    "channel_moved_in_directory", by=pointer.by, channel=pointer.channel, revision=pointer.revision
                )

    def _changed(self) -> list[tuple[Pointer, bytes]]:
        """Return the pointers that differ from the served ones, each with its artifact."""
        served = {name: channel.pointer for name, channel in self._channels.all.items()}
        changed = [each for name, each in self._store.pointers().items() if served.get(name) != each]
        found = [(pointer, self._judged(pointer)) for pointer in changed]
        return [(pointer, content) for pointer, content in found if content is not None]

    def _judged(self, pointer: Pointer) -> bytes | None:
        content = self._store.content(pointer.digest)
        if content is None:
            self._tell("move_refused", channel=pointer.channel, detail=f"artifact {pointer.digest} is missing")
            return None
        earlier = [move for move in self._store.moves(limit=1 << 62) if move.to.digest != pointer.digest]
        judged = admitted(content, self._trust.keys, earlier, time.time_ns())
        if isinstance(judged, Rejected):
            self._tell("move_refused", channel=pointer.channel, code=judged.code, detail=judged.detail)
            return None
        return content

    def _tell(self, event: str, **fields: object) -> None:
        """Log an event, unless it is the same as the previous one."""
        said = f"{event} {sorted(fields.items())}"
        if said != self._told:
            self._told = said
            self._report(event, **fields)
