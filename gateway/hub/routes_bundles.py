"""Bundles, long-polled by gateways and OPAs (OPA.md section 3.1): one resource for each channel, one for the stops.

Rule 1: this is the code that serves the policy in development (gateway.follow.bundle_endpoint), behind the hub's
tokens.
Rule 2: the caller and its channel are looked up again after every wait. An assignment takes effect immediately, and a
token that has expired or was removed during the wait gets nothing more.
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
        """Serve these channels and stops; at most `most` long polls are open at once."""
        self._guard = guard
        self._holding = LongPolls(most, guard.counts)
        self._channels = channels
        self._emergency = emergency

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, after holding it if it asks for a long poll."""
        found = self._guard.admitted(scope, ("gateway",))
        if isinstance(found, HubResponse):
            await sent(send, found)
            return
        name, labels = scope["path_params"]["channel"], _labels(scope)
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        known = headers.get(b"if-none-match", "")
        offering = self._offering(name, labels)
        if offering is not None and offering.offer is not None and known == offering.offer.etag:
            # Only holding is refused. New content, above all a stop, is also sent when the hub is full.
            if not self._holding.room(found.name):
                self._guard.counts.calls_refused["busy"] += 1
                error = f"the maximum of {self._holding.most} long polls is reached"
                await sent(send, refused(503, error, "Retry later, or use another hub."))
                return
            await self._holding.hold(found.name, offering.hold(known, wait_s(headers.get(b"prefer", "")), receive))
            found = self._guard.admitted(scope, ("gateway",))
            if isinstance(found, HubResponse):
                await sent(send, found)
                return
            offering = self._offering(name, labels)
        if offering is None:
            remedy = "Publish a bundle to it, or correct the name in the gateway's settings."
            await sent(send, refused(404, f"channel {name!r} does not exist or has no bundle yet", remedy))
            return
        with contextlib.suppress(TimeoutError):  # give up if the caller does not read it in time
            async with asyncio.timeout(SENDING_S):
                await respond(send, offering.offer, known)

    def _offering(self, name: str, labels: Mapping[str, str]) -> Offering | None:
        if name == RESERVED:
            return None if self._emergency is None else self._emergency.offering
        channel = self._channels.of(name, labels)
        return None if channel is None else channel.offering


def _labels(scope: Scope) -> dict[str, str]:
    """Return the labels in `?label=team=support&label=site=berlin`."""
    query = parse_qsl(scope["query_string"].decode("latin-1"))
    pairs = [value.partition("=") for name, value in query if name == "label"]
    return {name: value for name, _, value in pairs[:MOST_LABELS]}
