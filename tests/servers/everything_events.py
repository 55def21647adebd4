"""The events of every session's streams, kept in memory, so that a client that comes back gets what it missed.

Rule 1: an event is replayed into the stream that it was sent on and into no other.
"""

from itertools import count
from typing import Final

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCMessage


class Events(EventStore):
    """All events of a process, in order; ids are numbers."""

    def __init__(self) -> None:
        self._kept: Final[dict[str, tuple[str, JSONRPCMessage | None]]] = {}
        self._numbers: Final = count(1)

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep an event; the id that the client may come back with. A null message is a priming event."""
        event_id = str(next(self._numbers))
        self._kept[event_id] = (stream_id, message)
        return event_id

    async def replay_events_after(self, last_event_id: str, send_callback: EventCallback) -> str | None:
        """Send what a stream carried after an event; the stream, or null where the event is unknown."""
        if last_event_id not in self._kept:
            return None
        stream = self._kept[last_event_id][0]
        for event_id, (its_stream, message) in list(self._kept.items()):
            if its_stream == stream and message is not None and int(event_id) > int(last_event_id):
                await send_callback(EventMessage(message, event_id))
        return stream
