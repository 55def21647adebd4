"""The HTTP edge: one raw ASGI endpoint, `/servers/<id>/mcp`, and the one place where actions are performed."""

from gateway.server.endpoint import Endpoint, EndpointLimits
from gateway.server.ports import Callers, Meters, Unverified
from gateway.server.streams import StreamLimits, Streams

__all__ = ["Callers", "Endpoint", "EndpointLimits", "Meters", "StreamLimits", "Streams", "Unverified"]
