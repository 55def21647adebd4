"""The HTTP edge: one raw ASGI endpoint, `/servers/<id>/mcp`, and the one place that performs actions."""

from gateway.server.endpoint import EndpointLimits, McpEndpoint
from gateway.server.ports import CredentialVerifier, Meters, UnverifiedCaller
from gateway.server.streams import StreamLimits, Streams

__all__ = [
    "CredentialVerifier",
    "EndpointLimits",
    "McpEndpoint",
    "Meters",
    "StreamLimits",
    "Streams",
    "UnverifiedCaller",
]
