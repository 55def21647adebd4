"""A stream ends when the token does that opened it: real tokens of a real issuer, a real server, whole gateway."""

import asyncio
import socket
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from tests.clients.raw import BOTH, LEGACY, PATIENCE_S, events
from tests.running import ANYONE, Gateway, catalog, running, until
from tests.servers.talking import Talker, talking
from tests.unit.identity.support import NAME, RSA, Published, jwk, serving, token

LASTS_S: Final = 4
AUDIENCE: Final = "https://gateway.example"
ALICE: Final[dict[str, Any]] = {
    **ANYONE,
    "agent": "alice",
    "anonymous": False,
    "identities": [{"issuer": NAME, "subject": "alice"}],
}


@pytest.fixture
def talker(tmp_path: Path) -> Generator[Talker]:
    with talking(tmp_path / "journal-of-the-server") as started:
        yield started


async def test_a_standing_stream_ends_with_the_token_that_opened_it_and_the_journal_says_so(
    tmp_path: Path, talker: Talker
) -> None:
    published = Published(jwk(RSA))
    with serving(published):
        issuer = {"issuer": NAME, "keys_url": published.url, "audience": AUDIENCE}
        async with running(
            tmp_path,
            servers={"talk": catalog("talk", talker.url)},
            files={"agents/alice.yaml": ALICE},
            settings={"identity": {"issuers": [issuer]}, "listen": _listen()},
        ) as gateway:
            lasting = asyncio.create_task(_stream(gateway, time.time() + 600))
            ends = time.time() + LASTS_S
            ended_after = await _stream(gateway, ends) - ends
            assert 0 <= ended_after + 0.01 < PATIENCE_S
            assert not lasting.done()
            lasting.cancel()
            await _recorded(gateway)


def _listen() -> dict[str, Any]:
    """Where the gateway listens: tokens need a URL that is known before it does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return {"port": port, "public_url": f"http://127.0.0.1:{port}"}


async def _session(gateway: Gateway, bearer: dict[str, str]) -> dict[str, str]:
    """Initialize, and return the headers of what comes after."""
    params = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}
    headers = {"accept": BOTH, **bearer}
    async with httpx.AsyncClient(timeout=PATIENCE_S) as client:
        answer = await client.post(gateway.url("talk"), json=message, headers=headers)
    assert answer.status_code == 200, answer.text
    return {"mcp-session-id": answer.headers["mcp-session-id"], "mcp-protocol-version": LEGACY}


async def _stream(gateway: Gateway, ends: float) -> float:
    """Open a standing stream with a token that ends then, and return when the stream ended."""
    bearer = {"authorization": f"Bearer {token(aud=AUDIENCE, exp=ends)}"}
    accepted = {**await _session(gateway, bearer), **bearer, "accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=None) as client,
        client.stream("GET", gateway.url("talk"), headers=accepted) as answer,
    ):
        assert answer.status_code == 200
        try:
            async with asyncio.timeout(LASTS_S + PATIENCE_S):
                async for _ in events(answer):
                    pass
        except httpx.RemoteProtocolError:
            pass  # a stream that is cut has no proper end
    return time.time()


async def _recorded(gateway: Gateway) -> None:
    async def found() -> bool | None:
        details = [record.get("detail") for record in gateway.records("completed") if record["outcome"] == "closed"]
        return True if details == ["the credential expired"] else None

    await until(found, lambda: f"not recorded: {gateway.records('completed')}", deadline_s=PATIENCE_S)
