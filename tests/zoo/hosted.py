"""Recorded fixtures of hosted clients that cannot run here: what they send, as public reports describe it.

    for fixture in fixtures():
        outcomes = await Player(fixture, url, "ada", token).play()

Rule 1: a fixture is written from its sources; it is not a capture. Tools of the reference server stand in for theirs.
Rule 2: nothing is asserted here; the test compares the outcomes of a direct play with those through the gateway.
Rule 3: of an answer of HTTP 400 and above only the status counts: the words are the server's, or the gateway's.
"""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import msgspec
from msgspec import Struct

HERE: Final = Path(__file__).resolve().parent / "fixtures"
PATIENCE_S: Final = 60
_SESSION: Final = "mcp-session-id"
_REFUSED: Final = 400


class Source(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A public page that describes what the client sends, and what the fixture takes from it.

    Its date is that of the report or comment, or the day on which a page without a date was read.
    """

    url: str
    date: str
    says: str


class Known(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A status that differs through the gateway, and why it has to."""

    status: int
    reason: str


class Exchange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request. `{person}` in a body stands for the name of the person whose token it carries."""

    name: str
    method: Literal["POST", "GET", "DELETE"] = "POST"
    address: str
    """The address of the hosted client's host, as a proxy before the gateway forwards it."""
    token: bool = True
    """Whether it carries the person's token."""
    headers: Mapping[str, str] = {}
    body: Any = None
    session: str = ""
    """The name of the session whose id is sent."""
    keeps: str = ""
    """The name that the session of the answer gets."""
    stays: bool = False
    """Whether a stream that GET opened stays open until the end; else the client closes it at once."""
    status: int
    """What the reference server answers."""
    through: Known | None = None


class Fixture(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one hosted client sends, in order."""

    title: str
    note: str
    written: str
    sources: tuple[Source, ...]
    idle_limit_s: float = 0
    """After so many seconds without a byte this client, or what stands before it, closes a stream; 0: not stated."""
    exchanges: tuple[Exchange, ...]


def fixtures(directory: Path = HERE) -> Iterator[tuple[str, Fixture]]:
    """Yield every fixture with the name of its file."""
    for path in sorted(directory.glob("*.json")):
        yield path.stem, msgspec.json.decode(path.read_bytes(), type=Fixture)


class Player:
    """Sends the requests of a fixture as one person; `sessions` are the ids that the answers gave, by name."""

    def __init__(self, fixture: Fixture, url: str, person: str, token: str = "") -> None:
        """Take the endpoint, and the token if the endpoint wants one."""
        self._fixture: Final = fixture
        self._url: Final = url
        self._person: Final = person
        self._token: Final = token
        self.sessions: Final[dict[str, str]] = {}

    async def play(self) -> dict[str, Any]:
        """Return the outcome of each exchange, by name."""
        outcomes: dict[str, Any] = {}
        async with AsyncExitStack() as streams:
            for exchange in self._fixture.exchanges:
                if exchange.stays:
                    answer = await streams.enter_async_context(self.sent(exchange))
                    outcomes[exchange.name] = {"status": answer.status_code, "type": _type(answer)}
                else:
                    outcomes[exchange.name] = await self._outcome(exchange)
        return outcomes

    async def _outcome(self, exchange: Exchange) -> dict[str, Any]:
        async with self.sent(exchange) as answer:
            outcome: dict[str, Any] = {"status": answer.status_code}
            if answer.status_code >= _REFUSED:
                return outcome
            outcome["session"] = _SESSION in answer.headers
            if exchange.method == "GET":
                outcome["type"] = _type(answer)
            elif body := (await answer.aread()).decode():
                outcome |= {"type": _type(answer), "messages": _messages(answer, body)}
            if exchange.keeps:
                self.sessions[exchange.keeps] = answer.headers.get(_SESSION, "")
            return outcome

    @asynccontextmanager
    async def sent(self, exchange: Exchange, read_s: float = PATIENCE_S) -> AsyncGenerator[httpx.Response]:
        """Send an exchange on a connection of its own; `read_s` is how long no byte may come."""
        headers = {"x-forwarded-for": exchange.address, **exchange.headers}
        if exchange.token and self._token:
            headers["authorization"] = f"Bearer {self._token}"
        if exchange.session:
            headers[_SESSION] = self.sessions[exchange.session]
        body = None if exchange.body is None else json.dumps(exchange.body).replace("{person}", self._person).encode()
        if body is not None:
            headers["content-type"] = "application/json"
        async with (
            httpx.AsyncClient(timeout=httpx.Timeout(PATIENCE_S, read=read_s)) as client,
            client.stream(exchange.method, self._url, headers=headers, content=body) as answer,
        ):
            yield answer


def _type(answer: httpx.Response) -> str:
    return answer.headers.get("content-type", "").partition(";")[0]


def _messages(answer: httpx.Response, text: str) -> list[Any]:
    """Return the JSON-RPC messages of a whole body."""
    if _type(answer) == "text/event-stream":
        lines = (line.removeprefix("data:").strip() for line in text.splitlines() if line.startswith("data:"))
        return [json.loads(line) for line in lines if line]
    return [json.loads(text)]
