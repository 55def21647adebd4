"""The HTTP edge: one raw ASGI endpoint, `/servers/<id>/mcp`, and the one place where actions are performed."""

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
