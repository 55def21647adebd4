"""The bundles, long-polled by gateways and OPAs (OPA.md section 3.1): one resource a channel, one for the stops.

Rule 1: it is the code that serves the policy in development (gateway.follow.bundle_endpoint), behind the hub's tokens.
Rule 2: who asks and which channel they are given is looked up again after every wait: an assignment counts at once,
and who was held has nothing more by a token that has ended or gone meanwhile.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from gateway.follow.bundle_endpoint import Offering, respond, wait_s
from gateway.hub.channel_pointer import RESERVED
from gateway.hub.channels import Channels
from gateway.hub.endpoint import SENDING_S, Guard, HubResponse, refused, sent
from gateway.hub.long_polls import LongPolls
from gateway.hub.stop_store import StopStore

MOST_LABELS: Final = 32


class BundleRoutes:
    """An ASGI application for `/bundles/{channel}.tar.gz`."""

    def __init__(self, guard: Guard, channels: Channels, emergency: StopStore | None, *, most: int) -> None:
        """Serve these; `most` are held at once."""
        self._guard = guard
        self._holding = LongPolls(most, guard.counts)
        self._channels = channels
        self._emergency = emergency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one question, after holding it where that is asked for."""
        found = self._guard.admitted(scope, ("gateway",))
        if isinstance(found, HubResponse):
            await sent(send, found)
            return
        name, labels = scope["path_params"]["channel"], _labels(scope)
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        known = headers.get(b"if-none-match", "")
        offering = self._offering(name, labels)
        if offering is not None and offering.offer is not None and known == offering.offer.etag:
            # Only holding is refused: what is new, a stop above all, reaches also who finds the hub full.
            if not self._holding.room(found.name):
                self._guard.counts.calls_refused["busy"] += 1
                await sent(send, refused(503, f"{self._holding.most} wait already", "Ask again later, or another hub."))
                return
            await self._holding.hold(found.name, offering.hold(known, wait_s(headers.get(b"prefer", "")), receive))
            found = self._guard.admitted(scope, ("gateway",))
            if isinstance(found, HubResponse):
                await sent(send, found)
                return
            offering = self._offering(name, labels)
        if offering is None:
            remedy = "Publish a bundle to it, or correct the name in the gateway's settings."
            await sent(send, refused(404, f"no channel {name!r} points to a bundle", remedy))
            return
        with contextlib.suppress(TimeoutError):  # who does not take it in time is let go
            async with asyncio.timeout(SENDING_S):
                await respond(send, offering.offer, known)

    def _offering(self, name: str, labels: Mapping[str, str]) -> Offering | None:
        if name == RESERVED:
            return None if self._emergency is None else self._emergency.offering
        channel = self._channels.of(name, labels)
        return None if channel is None else channel.offering


def _labels(scope: Scope) -> dict[str, str]:
    """The labels in `?label=team=support&label=site=berlin`."""
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    pairs = [value.partition("=") for name, value in query if name == "label"]
    return {name: value for name, _, value in pairs[:MOST_LABELS]}
