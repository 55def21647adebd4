"""Calls of publishers and readers: upload an artifact, move a channel's pointer, show channels and their history.

Rule 1: an artifact is checked before it is stored, and again before a pointer moves to it, because keys and time may
have changed in between.
Rule 2: the served channels change after the disk has changed, and in the same order.
"""

import asyncio
import time
from typing import Final

import msgspec
from msgspec import Struct

from gateway.artifact.pack import MEDIA_TYPE
from gateway.artifact.rejection import Rejected
from gateway.hub.artifact_store import ArtifactStore
from gateway.hub.channel_pointer import DIGEST, Assignment, Because, Digest, Pointer, highest
from gateway.hub.channels import MOST, Channels
from gateway.hub.credentials import Credentials
from gateway.hub.directory_watcher import HubDirectoryWatcher
from gateway.hub.endpoint import HubRequest, HubResponse, refused
from gateway.hub.metrics import HubEventLog, HubMetrics
from gateway.hub.promotion import MoveRefused, MoveRequest, rejected
from gateway.hub.pruned import absent
from gateway.hub.responses import ChannelList, Uploaded
from gateway.hub.upload_checks import admitted

UPLOADS: Final = 2
"""Maximum uploads checked at the same time: each may take half a gigabyte unpacked."""
HISTORY: Final = 1000
_STATUSES: Final = {
    "artefact_unknown": 404,
    "artefact_pruned": 410,
    "channel_name_invalid": 400,
    "artefact_damaged": 507,
}
_CONFLICT: Final = 409


class Put(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PUT /v1/channels/<name>`."""

    digest: Digest
    because: Because
    expected: Digest | None


_PUT: Final = msgspec.json.Decoder(Put)
_ASSIGN: Final = msgspec.json.Decoder(tuple[Assignment, ...])


class ArtifactRoutes:
    """Handles the calls on one store."""

    def __init__(
        self, store: ArtifactStore, channels: Channels, trust: Credentials, told: tuple[HubMetrics, HubEventLog]
    ) -> None:
        self.looking: Final = HubDirectoryWatcher(store, channels, trust, told[1])
        """Serves changes that other processes make in the directory."""
        self._store = store
        self._channels = channels
        self._trust = trust
        self._counts, self._report = told
        self._uploading = asyncio.Semaphore(UPLOADS)

    async def upload(self, call: HubRequest) -> HubResponse:
        """Handle `POST /v1/artefacts`."""
        async with self._uploading:
            found = await asyncio.to_thread(self._kept, call.body)
        if isinstance(found, Rejected):
            self._counts.uploads_refused[found.code] += 1
            self._report("upload_refused", by=call.caller.name, code=found.code, detail=found.detail)
            remedy = "Nothing was stored. Build and sign the bundle again."
            return refused(422, str(found), remedy, found.code)
        self._counts.uploads += 1
        self._counts.storage_failing = False
        self._report("uploaded", by=call.caller.name, revision=found.revision, digest=found.digest)
        return HubResponse(201, found)

    def _kept(self, content: bytes) -> Uploaded | Rejected:
        artifact = admitted(content, self._trust.keys, self._store.moves(limit=_ALL), time.time_ns())
        if isinstance(artifact, Rejected):
            return artifact
        self._store.keep(artifact)
        return Uploaded(digest=artifact.digest, revision=artifact.revision, seq=artifact.manifest.metadata.seq)

    async def point(self, call: HubRequest) -> HubResponse:
        """Handle `PUT /v1/channels/<name>`."""
        put = _PUT.decode(call.body)
        wanted = MoveRequest(
            channel=str(call.path["name"]),
            digest=put.digest,
            expected=put.expected,
            by=call.caller.name,
            because=put.because,
            unix_ns=time.time_ns(),
        )
        async with self.looking.moving:
            outcome = await asyncio.to_thread(self._moved, wanted)
            if isinstance(outcome, MoveRefused):
                return self._unmoved(wanted, outcome)
            pointer, content = outcome
            known = self._channels.all.get(pointer.channel)
            if known is None or known.pointer.digest != pointer.digest:
                self._channels.put(pointer, content)
                self._counts.moves += 1
                self._report("moved", by=wanted.by, channel=pointer.channel, revision=pointer.revision)
        self._counts.storage_failing = False
        return HubResponse(200, pointer)

    def _moved(self, wanted: MoveRequest) -> tuple[Pointer, bytes] | MoveRefused:
        content = self._store.content(wanted.digest)
        if content is None:
            return absent(self._store.directory, wanted.digest)
        if wanted.channel not in self._channels.all and len(self._channels.all) >= MOST:
            detail = f"the hub already has the maximum of {MOST} channels"
            return MoveRefused("channel_name_invalid", detail, "Use one of them.")
        artifact = admitted(content, self._trust.keys, self._store.moves(limit=_ALL), wanted.unix_ns)
        if isinstance(artifact, Rejected):
            return rejected(artifact)
        pointer = self._store.move(wanted)
        return pointer if isinstance(pointer, MoveRefused) else (pointer, content)

    def _unmoved(self, wanted: MoveRequest, why: MoveRefused) -> HubResponse:
        status = _STATUSES.get(why.code, _CONFLICT)
        self._counts.calls_refused["conflict"] += status == _CONFLICT
        self._report("move_refused", by=wanted.by, channel=wanted.channel, code=why.code, detail=why.detail)
        return refused(status, why.detail, why.remedy, why.code)

    async def channels(self, _call: HubRequest) -> HubResponse:
        """Handle `GET /v1/channels`."""
        pointers = [channel.pointer for _, channel in sorted(self._channels.all.items())]
        moves = await asyncio.to_thread(self._store.moves, limit=_ALL)
        tops = {name: highest(moves, name) for name in {pointer.environment for pointer in pointers}}
        return HubResponse(
            200, ChannelList(channels=pointers, highest={name: top for name, top in tops.items() if top})
        )

    async def history(self, call: HubRequest) -> HubResponse:
        """Handle `GET /v1/history?channel=&limit=`."""
        limit = call.asked("limit") or "100"
        if not limit.isdecimal() or len(limit) > len(str(HISTORY)) or not 0 < int(limit) <= HISTORY:
            return refused(400, f"`limit` is not a number from 1 to {HISTORY}", "Correct it, or omit it.")
        return HubResponse(200, await asyncio.to_thread(self._store.moves, call.asked("channel"), int(limit)))

    async def artifact(self, call: HubRequest) -> HubResponse:
        """Handle `GET /v1/artefacts/<digest>`."""
        digest = str(call.path["digest"])
        if not DIGEST.fullmatch(digest):
            remedy = "Use 64 lower-case hexadecimal digits, as shown in the history."
            return refused(404, f"{digest!r} is not a digest", remedy)
        found = await asyncio.to_thread(self._stored, digest)
        if isinstance(found, MoveRefused):
            return refused(_STATUSES[found.code], found.detail, found.remedy, found.code)
        return HubResponse(200, found, MEDIA_TYPE)

    def _stored(self, digest: str) -> bytes | MoveRefused:
        return self._store.content(digest) or absent(self._store.directory, digest)

    async def assign(self, call: HubRequest) -> HubResponse:
        """Handle `PUT /v1/assignments`."""
        assignments = _ASSIGN.decode(call.body)
        async with self.looking.moving:
            await asyncio.to_thread(self._store.assign, assignments, call.caller.name, time.time_ns())
            self._channels.assign(assignments)
        self._report("assigned", by=call.caller.name, assignments=len(assignments))
        return HubResponse(200, assignments)

    async def assignments(self, _call: HubRequest) -> HubResponse:
        """Handle `GET /v1/assignments`."""
        return HubResponse(200, self._channels.assignments)


_ALL: Final = 1 << 62
