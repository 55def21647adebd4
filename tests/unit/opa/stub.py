"""A stand-in for OPA on a Unix socket that sends prepared answers, or none."""

import asyncio
from pathlib import Path
from typing import Final, Self

GOOD: Final = (
    b'{"provenance":{"version":"1.22.0","bundles":{"policy":{"revision":"dev@aaaaaaaaaaaa.%d"}}},'
    b'"result":{"schema":"mcp.decision/v1","outcome":"deny","reasons":[],"grounds":[],'
    b'"resolved":{"agent":null,"server":null}}}'
)


def http(body: bytes, status: str = "200 OK") -> bytes:
    """Return a whole HTTP answer."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)


def good(seq: int = 1) -> bytes:
    """Return a well-formed denial of a revision."""
    return http(GOOD % seq)


SILENCE: Final = None
"""Never answer."""
HANG_UP: Final = b""
"""Close the connection instead of answering."""


class Stub:
    """Answers the questions in their order from `answers`, the last one for ever."""

    def __init__(self, path: Path, *answers: bytes | None) -> None:
        self.path = path
        self.answers = list(answers)
        self.asked: list[bytes] = []
        self.connections = 0
        self.gone = asyncio.Event()
        """Set when a client has closed its connection."""
        self._writers: list[asyncio.StreamWriter] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._serve, self.path)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        if self._server is not None:
            await self._server.wait_closed()

    def hang_up(self) -> None:
        """Close every kept connection."""
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        while (head := await _head(reader)) is not None:
            self.asked.append(head)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer == HANG_UP:
                break
            if answer is not None:
                writer.write(answer)
        self.gone.set()
        writer.close()


async def _head(reader: asyncio.StreamReader) -> bytes | None:
    """Return the next request's head after reading its body too; None at the end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.split(b":")[1]))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    return head
