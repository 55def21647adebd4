"""The victim: another principal, who calls another server, one call after the other."""

import asyncio
import time
from collections import Counter
from statistics import fmean, median
from typing import Final

import orjson
from msgspec import Struct

from gateway.identity.tokens import token
from tests.bench.load import Connection
from tests.faults.wire import Line, call, modern

SECRET: Final = b"v" * 32
"""The victim's service token is made of it."""
SERVER: Final = "victim"
PATIENCE_S: Final = 10.0
_ANSWERED: Final = b'"resultType":"complete"'


class Latencies(Struct, frozen=True, kw_only=True):
    """What some calls took, and what was refused."""

    millis: list[float]
    refused: Counter[str]
    """Calls without their result, by reason."""

    @property
    def median(self) -> float:
        """The median in milliseconds."""
        return median(self.millis) if self.millis else float("inf")

    @property
    def mean(self) -> float:
        """The mean in milliseconds."""
        return fmean(self.millis) if self.millis else float("inf")

    @property
    def largest(self) -> float:
        """The largest in milliseconds."""
        return max(self.millis, default=float("inf"))


class Victim:
    """Makes calls on one connection, which is opened again only if it was closed."""

    def __init__(self, origin: str) -> None:
        """Take where the gateway is."""
        self._line: Final = Line(f"{origin}/servers/{SERVER}/mcp")
        body = call("echo", {"text": "hello"})
        lines = (*modern("tools/call", "echo"), ("Authorization", f"Bearer {token(SECRET)}"))
        head = self._line.head((*lines, ("Content-Length", str(len(body)))))
        self._request: Final = head.replace(b"Connection: close\r\n", b"") + body
        self._connection: Connection | None = None

    async def calls(self, count: int, *, at_least_s: float = 0, at_most_s: float) -> Latencies:
        """Make so many calls or more within the bounds of time, and return what they took."""
        millis: list[float] = []
        refused: Counter[str] = Counter()
        began = time.perf_counter()
        while (gone := time.perf_counter() - began) < at_most_s and (len(millis) < count or gone < at_least_s):
            at = time.perf_counter()
            reason = await self._call(at_most_s - gone)
            millis.append((time.perf_counter() - at) * 1e3)
            if reason:
                refused[reason] += 1
        return Latencies(millis=millis, refused=refused)

    async def _call(self, left_s: float) -> str:
        """Make a call, and return why it has no result; empty if it has one."""
        try:
            async with asyncio.timeout(min(left_s, PATIENCE_S) + 0.5):
                self._connection = self._connection or await self._connected()
                answer = await self._connection.ask(self._request)
        except TimeoutError:
            self.close()
            return "no answer in time"
        except OSError as error:
            self.close()
            return f"{type(error).__name__}"
        return "" if _ANSWERED in answer else _reason(answer)

    def close(self) -> None:
        """Drop the connection."""
        connection, self._connection = self._connection, None
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, self._line.host, self._line.port))[1]


def _reason(answer: bytes) -> str:
    try:
        message = orjson.loads(answer)
        meta = message.get("result", {}).get("_meta", {}).get("dev.admission/decision", {})
        return str(meta.get("code") or message.get("error", {}).get("message") or "refused")[:60]
    except (ValueError, AttributeError):
        return "an answer that is not JSON"
