"""Calls of responders: stop something now, show the active stops, lift a stop.

Rule 1: a stop needs no build, no CI and no publisher, only the role `responder`.
Rule 2: the response is sent once the stop is durable and all open polls of the emergency bundle have been answered.
"""

import asyncio
import time
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct, structs

from gateway.artifact.stop_file import ActiveStops
from gateway.artifact.stops_bundle import Kind, selected
from gateway.hub.channel_pointer import Because
from gateway.hub.channels import Channels
from gateway.hub.endpoint import HubRequest, HubResponse, refused
from gateway.hub.metrics import HubEventLog, HubMetrics
from gateway.hub.responses import Standings, Stopped
from gateway.hub.stop_names_check import UNABLE, unborne, unenforceable
from gateway.hub.stop_store import StopStore, lifted, new_stop, stopped


class StopRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/stops`."""

    kind: Kind
    name: Annotated[str, Meta(max_length=2048)]
    for_s: Annotated[float, Meta(gt=0, le=86_400)]
    because: Because
    also: dict[Kind, Annotated[str, Meta(max_length=2048)]] = {}
    """Additional selectors, which must also match."""


class Lift(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `DELETE /v1/stops/<id>`."""

    because: Because


_WANTED: Final = msgspec.json.Decoder(StopRequest)
_LIFT: Final = msgspec.json.Decoder(Lift)


class StopRoutes:
    """Handles the calls; without an emergency key they are refused."""

    def __init__(
        self, directory: Path, emergency: StopStore | None, channels: Channels, told: tuple[HubMetrics, HubEventLog]
    ) -> None:
        self._directory = directory
        self._emergency = emergency
        self._channels = channels
        self._counts, self._report = told

    async def stop(self, call: HubRequest) -> HubResponse:
        """Handle `POST /v1/stops`."""
        if self._emergency is None:
            return _KEYLESS
        wanted, now = _WANTED.decode(call.body), time.time_ns()
        if wanted.kind in wanted.also:
            error = f"the stop selects by {wanted.kind} twice"
            return refused(400, error, "Correct it and send it again.", "stop_invalid")
        chosen: dict[Kind, str] = {wanted.kind: wanted.name, **wanted.also}
        about = (call.caller.name, now)
        stop = new_stop(chosen, for_s=wanted.for_s, because=wanted.because, about=about)
        unable = await asyncio.to_thread(unenforceable, stop, self._channels.contents())
        if unable:
            return refused(409, unable, UNABLE, "stop_not_enforceable")
        standing = await asyncio.to_thread(stopped, self._directory, stop, now)
        if isinstance(standing, str):
            return refused(400, standing, "Correct it and send it again.", "stop_invalid")
        self._emergency.offer(standing)
        self._counts.stops += 1
        self._report("stopped", by=stop.by, id=stop.id, what=selected(stop), because=stop.because)
        told = await asyncio.to_thread(unborne, stop, self._channels.contents())
        return HubResponse(201, Stopped(**structs.asdict(stop), unborne=told))

    async def stops(self, _call: HubRequest) -> HubResponse:
        """Handle `GET /v1/stops`."""
        if self._emergency is None:
            return _KEYLESS
        now = time.time_ns()
        standing = [stop for stop in self._emergency.standing.stops if stop.until_unix_ns > now]
        return HubResponse(200, Standings(revision=self._emergency.revision, stops=standing))

    async def lift(self, call: HubRequest) -> HubResponse:
        """Handle `DELETE /v1/stops/<id>`."""
        if self._emergency is None:
            return _KEYLESS
        lift, stop_id = _LIFT.decode(call.body), str(call.path["id"])
        standing = await asyncio.to_thread(self._lifted, stop_id, call.caller.name, lift.because)
        if standing is None:
            return refused(
                404, f"no active stop has the id {stop_id!r}", "List the stops: it may have ended by itself."
            )
        self._emergency.offer(standing)
        self._counts.lifts += 1
        self._report("lifted", by=call.caller.name, id=stop_id, because=lift.because)
        return HubResponse(200, Standings(revision=self._emergency.revision, stops=list(standing.stops)))

    def _lifted(self, stop_id: str, by: str, because: str) -> ActiveStops | None:
        return lifted(self._directory, stop_id, by=by, because=because, unix_ns=time.time_ns())


_KEYLESS: Final = refused(
    501,
    "this hub has no emergency key",
    "Make one with `mcp-admission hub key`, and name it as `emergency_key` in the hub's settings.",
    "no_emergency_key",
)
