"""The layers around the endpoint: middlewares, verification of callers, and the RFC 9728 documents.

Rule 1: each request that is rejected here is counted and recorded, like the endpoint's own refusals.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterable
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.admission.action import Answer
from gateway.admission.principal import Verified
from gateway.admission.recording import PartialMessage
from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.authenticator import Authenticator
from gateway.identity.protected_resource import PREFIX, ProtectedResourceMetadata, Resource
from gateway.identity.refused_callers import Aggregate
from gateway.middleware import (
    AllowedHosts,
    CrossOrigin,
    HostAndOrigin,
    Proxies,
    RejectedRequest,
    RequestIds,
    SizeLimits,
)
from gateway.pipeline import Pipeline
from gateway.server import UnverifiedCaller
from gateway.settings import Settings
from gateway.settings.cross_checks import loopback
from gateway.telemetry import Telemetry
from gateway.telemetry.refusal_log import RefusalLog


class AsgiStack:
    """The server's `Callers` port over `Authenticator`, with floods of refusals counted together."""

    def __init__(self, identity: Authenticator, floods: Aggregate) -> None:
        """Take the verifier of credentials, and the counter of equal refusals."""
        self._identity: Final = identity
        self._floods: Final = floods

    async def verify(
        self, headers: Iterable[tuple[bytes, bytes]], *, server: str, query: bytes, source_ip: str
    ) -> Verified | UnverifiedCaller:
        """Return the caller, or its refusal."""
        outcome = await self._identity.verify(headers, server, time.time(), query)
        return outcome if isinstance(outcome, Verified) else self._refused(server, source_ip, outcome)

    def unknown(self, server: str, *, source_ip: str) -> UnverifiedCaller:
        """Return the refusal of a caller whose credential no agent has; the pipeline has already recorded it."""
        del source_ip
        reason = "The credential is not registered here, has expired or was revoked."
        return self._told(server, Unauthenticated(cause="token_unknown", reason=reason), recorded=False)

    def _refused(self, server: str, source_ip: str, outcome: Unauthenticated) -> UnverifiedCaller:
        first = self._floods.first(source_ip, server, outcome.cause, time.time_ns())
        return self._told(server, outcome, recorded=first)

    def _told(self, server: str, outcome: Unauthenticated, *, recorded: bool) -> UnverifiedCaller:
        return UnverifiedCaller(
            cause=outcome.cause,
            reason=outcome.reason,
            status=outcome.status,
            challenge=self._identity.challenge(server, outcome),
            recorded=recorded,
        )


def metadata_beside(endpoint: ASGIApp, resource: Resource) -> ASGIApp:
    """Return the application that answers RFC 9728 requests from `resource`, and all else from `endpoint`."""
    metadata = ProtectedResourceMetadata(resource)

    def routed(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        inner = metadata if scope["path"].startswith(PREFIX) else endpoint
        return inner(scope, receive, send)

    return routed


async def floods_recorded(floods: Aggregate, pipeline: Pipeline, refusals: RefusalLog) -> None:
    """Record and log once a second the refusals that were only counted, until canceled."""
    while True:
        await asyncio.sleep(1)  # noqa: TID251 - refusals are counted by the second
        refusals.flush()
        pipeline.record_counts()
        for flood in floods.over(time.time_ns()):
            about = PartialMessage(
                server=flood.server, detail=f"repeated refusals in second {flood.second}", caller=flood.caller
            )
            nobody = Answer(status=0)
            await pipeline.turn_away(flood.cause, about, source_ip=flood.source_ip, answer=nobody, count=flood.count)


def guarded(
    app: ASGIApp, pipeline: Pipeline, telemetry: Telemetry, *, floods: Aggregate, settings: Settings
) -> ASGIApp:
    """Return `app` behind all layers that need no message: request id, proxies, host and origin, CORS, sizes."""

    async def notice(turned: RejectedRequest) -> None:
        telemetry.malformed(turned.code)
        telemetry.refused(turned.code, detail=turned.reason)
        if not floods.first(turned.source_ip, "", turned.code, time.time_ns()):
            return
        about = PartialMessage(detail=turned.reason, status=turned.status, correlation=turned.correlation)
        await pipeline.turn_away(turned.code, about, source_ip=turned.source_ip, answer=Answer(status=turned.status))

    listen, limits = settings.listen, settings.limits
    names = AllowedHosts(
        settings.public_url,
        hosts=listen.allowed_hosts,
        origins=listen.allowed_origins,
        loopback=loopback(listen.host),
    )
    sized = SizeLimits(
        app, notice, body_bytes=limits.body_bytes, header_bytes=limits.header_bytes, headers=limits.headers
    )
    readable = CrossOrigin(sized, settings.headers)
    return RequestIds(Proxies(HostAndOrigin(readable, notice, names), listen.trusted_proxies))
