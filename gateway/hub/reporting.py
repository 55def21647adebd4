"""What gateways say, and what people ask about it: heartbeats and rollouts.

Rule 1: nothing of it is stored: after a restart the gateways say it again within seconds.
"""

import time
from typing import Final

import msgspec

from gateway.hub.channels import Channels
from gateway.hub.counts import Counts
from gateway.hub.endpoint import Answer, Call, refused
from gateway.hub.fleet import Fleet, Heartbeat
from gateway.hub.rollout import SETTLING_S, Asked, rollout

_BEAT: Final = msgspec.json.Decoder(Heartbeat)


class Reporting:
    """Performs the calls; `resumed`: what was served before is served again, so that gateways may be on their way."""

    def __init__(self, channels: Channels, fleet: Fleet, counts: Counts, *, resumed: bool) -> None:
        self._channels = channels
        self._fleet = fleet
        self._counts = counts
        self._settled_at = time.monotonic() + (SETTLING_S if resumed else 0)

    async def hear(self, call: Call) -> Answer:
        """`POST /v1/heartbeats`."""
        if not self._fleet.hear(_BEAT.decode(call.body), time.monotonic()):
            return refused(503, "there are more gateways than one hub keeps in mind", "Use several hubs.")
        self._counts.heartbeats += 1
        return Answer(204)

    async def rollout(self, call: Call) -> Answer:
        """`GET /v1/rollouts/<revision>?channel=`."""
        revision, now = str(call.path["revision"]), time.monotonic()
        name = call.asked("channel") or self._newest(revision)
        channel = self._channels.all.get(name)
        if channel is None:
            remedy = "Publish it first, or name the channel with `?channel=`."
            return refused(404, f"no channel points to {revision}", remedy)
        asked = Asked(
            revision=revision,
            channel=name,
            in_force=channel.pointer.revision,
            moved=channel.moved,
            settled=now >= self._settled_at,
        )
        live = [
            seen for seen in self._fleet.live(now) if self._channels.of(seen.beat.channel, seen.beat.labels) is channel
        ]
        return Answer(200, rollout(asked, live, now))

    def _newest(self, revision: str) -> str:
        """The channel that points to the revision, the one that was moved last; empty where none does."""
        found = [each for each in self._channels.all.values() if each.pointer.revision == revision]
        return max(found, key=lambda each: each.pointer.since).pointer.channel if found else ""
