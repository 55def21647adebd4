"""Limits and error texts of the data listener's connections, from the settings."""

from gateway.listening.certificate import Certificate
from gateway.listening.descriptors import connections_for
from gateway.listening.limits import ConnectionLimits
from gateway.listening.server import ServerOptions
from gateway.opa.process import ReportEvent
from gateway.protocol.errors import INVALID_REQUEST, error_body
from gateway.settings import Settings

_FRAMING_BYTES = 32 * 1024
"""Bytes of a head beyond `limits.header_bytes` that are still read, so that its refusal can be recorded."""


def limits_of(settings: Settings, descriptors: int) -> ConnectionLimits:
    """Return the limits of a worker that may open this many descriptors."""
    listen, limits = settings.listen, settings.limits
    fitting = connections_for(descriptors)
    return ConnectionLimits(
        total=fitting if listen.connections is None else min(listen.connections, fitting),
        per_address=listen.connections_per_address,
        head_bytes=2 * limits.header_bytes + _FRAMING_BYTES,
        head_s=listen.head_s,
        body_s=listen.body_s,
        stall_s=listen.stall_s,
        idle_s=listen.idle_s,
        unread_bytes=limits.unread_bytes,
        trusted=listen.trusted_proxies,
    )


def manner_of(
    settings: Settings, descriptors: int, *, report: ReportEvent, certificate: Certificate | None
) -> ServerOptions:
    """Return the options of a worker's HTTP server."""

    def refused(reason: str) -> bytes:
        return error_body(None, INVALID_REQUEST, reason)

    limits = limits_of(settings, descriptors)
    return ServerOptions(limits=limits, report=report, error_body=refused, certificate=certificate)
