"""Takes up what somebody else changes in the hub's directory, such as `bundle publish --to DIR` on the same machine.

Rule 1: what was put there is judged like an upload; what would be refused is told, and what was served before stays.
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
    """Compares what is served with what the pointers say; `moving` is held while the hub itself moves one."""

    def __init__(self, store: ArtifactStore, channels: Channels, trust: Credentials, report: HubEventLog) -> None:
        self.moving: Final = asyncio.Lock()
        self._store = store
        self._channels = channels
        self._trust = trust
        self._report = report
        self._told = ""

    async def follow(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)  # noqa: TID251 - the rhythm of looking
            await self.look()

    async def look(self) -> None:
        """Serve what the pointers say now."""
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
        """The pointers that say something else than what is served, with what they point to."""
        served = {name: channel.pointer for name, channel in self._channels.all.items()}
        changed = [each for name, each in self._store.pointers().items() if served.get(name) != each]
        found = [(pointer, self._judged(pointer)) for pointer in changed]
        return [(pointer, content) for pointer, content in found if content is not None]

    def _judged(self, pointer: Pointer) -> bytes | None:
        content = self._store.content(pointer.digest)
        if content is None:
            self._tell("move_refused", channel=pointer.channel, detail=f"its artifact {pointer.digest} is not there")
            return None
        earlier = [move for move in self._store.moves(limit=1 << 62) if move.to.digest != pointer.digest]
        judged = admitted(content, self._trust.keys, earlier, time.time_ns())
        if isinstance(judged, Rejected):
            self._tell("move_refused", channel=pointer.channel, code=judged.code, detail=judged.detail)
            return None
        return content

    def _tell(self, event: str, **fields: object) -> None:
        """Tell once what is found again at every look."""
        said = f"{event} {sorted(fields.items())}"
        if said != self._told:
            self._told = said
            self._report(event, **fields)
