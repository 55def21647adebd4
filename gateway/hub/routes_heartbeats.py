"""Heartbeats of gateways, and the rollouts that are computed from them.

Rule 1: heartbeats are not stored. After a restart, the gateways report again within seconds.
Rule 2: a heartbeat under a name that the token may not use does not count. It is refused, logged, and shown with the
rollout.
"""

import time
from typing import Final

import msgspec
from msgspec.structs import replace

from gateway.hub.bearer_tokens import UnknownCallerLog
from gateway.hub.channel_pointer import RESERVED
from gateway.hub.channels import Channels, HubChannel
from gateway.hub.endpoint import HubRequest, HubResponse, refused
from gateway.hub.fleet import Fleet, ReceivedHeartbeat, Seen
from gateway.hub.metrics import HubEventLog, HubMetrics
from gateway.hub.rollout import SETTLING_S, Rollout, RolloutQuery, SilentGateway, of_policy, of_stops, reached, rollout
from gateway.hub.stop_store import StopStore

REMEMBERED_S: Final = 130.0
"""Seconds for which a refused name is shown: a gateway whose heartbeats are refused retries once a minute."""
_BEAT: Final = msgspec.json.Decoder(ReceivedHeartbeat)


class HeartbeatRoutes:
    """Handles the calls; `resumed`: the hub already served channels before it started, so gateways may reconnect."""

    def __init__(
        self,
        channels: Channels,
        emergency: StopStore | None,
        known: tuple[Fleet, HubMetrics, HubEventLog],
        *,
        resumed: bool,
    ) -> None:
        self._channels = channels
        self._emergency = emergency
        self._fleet, self._counts, self._report = known
        self._misnamed: Final[dict[str, tuple[str, float]]] = {}
        """By token: the last name that it may not use, and the time."""
        self._strangers: Final = UnknownCallerLog()
        self._settled_at = time.monotonic() + (SETTLING_S if resumed else 0)

    async def hear(self, call: HubRequest) -> HubResponse:
        """Handle `POST /v1/heartbeats`."""
        beat, now = _BEAT.decode(call.body), time.monotonic()
        if not call.caller.speaks_for(beat.gateway):
            return self._unheard(call.caller.name, beat.gateway, now)
        if not self._fleet.hear(beat, now, call.caller.name):
            return refused(503, "the hub's list of gateways is full", "Use several hubs.")
        self._counts.heartbeats += 1
        return HubResponse(204)

    def _unheard(self, token: str, gateway: str, now: float) -> HubResponse:
        self._misnamed[token] = (gateway, now)
        self._counts.calls_refused["misnamed"] += 1
        if count := self._strangers.turned_away(now):
            self._report("heartbeat_refused", by=token, gateway=gateway, count=count)
        remedy = f"Add it to `gateways` of the token `{token}` in the hub's settings, or correct the gateway's `id`."
        return refused(
            403, f"the token `{token}` may not report as the gateway {gateway!r}", remedy, "gateway_misnamed"
        )

    async def rollout(self, call: HubRequest) -> HubResponse:
        """Handle `GET /v1/rollouts/<revision>?channel=`."""
        revision, now = str(call.path["revision"]), time.monotonic()
        if self._emergency is not None and revision.startswith(f"{RESERVED}@"):
            return HubResponse(200, self._of_stops(self._emergency, revision, now))
        name = call.asked("channel") or self._newest(revision)
        channel = self._channels.all.get(name)
        if channel is None:
            remedy = "Publish it first, or name the channel (`--channel`, or `?channel=` in the URL)."
            return refused(404, f"no channel points to {revision}", remedy)
        return HubResponse(200, self._of_policy(channel, revision, now))

    def _of_policy(self, channel: HubChannel, revision: str, now: float) -> Rollout:
        name, in_force = channel.pointer.channel, channel.pointer.revision
        asked = self._asked(revision, name, in_force, channel.moved)
        live = (seen for seen in self._fleet.live(now) if self._follows(seen, channel))
        return self._whole(rollout(asked, map(of_policy, live), now), now)

    def _of_stops(self, emergency: StopStore, revision: str, now: float) -> Rollout:
        """Return the rollout among all gateways: each follows the stops."""
        asked = self._asked(revision, RESERVED, reached(emergency.revision, revision), emergency.offered)
        return self._whole(rollout(asked, (of_stops(seen, revision) for seen in self._fleet.live(now)), now), now)

    def _whole(self, found: Rollout, now: float) -> Rollout:
        late = {token: name for token, (name, at) in self._misnamed.items() if now - at <= REMEMBERED_S}
        return replace(
            found, unheard=tuple(SilentGateway(gateway=name, token=token) for token, name in sorted(late.items()))
        )

    def _asked(self, revision: str, channel: str, in_force: str, moved: float | None) -> RolloutQuery:
        settled = time.monotonic() >= self._settled_at
        return RolloutQuery(revision=revision, channel=channel, in_force=in_force, moved=moved, settled=settled)

    def _follows(self, seen: Seen, channel: HubChannel) -> bool:
        return self._channels.of(seen.beat.channel, seen.beat.labels) is channel

    def _newest(self, revision: str) -> str:
        """Return the most recently moved channel that points to the revision; empty if there is none."""
        found = [each for each in self._channels.all.values() if each.pointer.revision == revision]
        return max(found, key=lambda each: each.pointer.since).pointer.channel if found else ""
