"""A server sleeps while it is idle, and stops when it is asked to."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator

import httpx
import pytest
import uvicorn
from starlette.responses import PlainTextResponse

from gateway.listening import server as listening
from gateway.listening.server import HttpServer, ServerOptions, server
from gateway.listening.sockets import Unbound, bind


class Noted(HttpServer):
    """A server that signals its second tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config, 1, ServerOptions())
        self.looks = 0
        self.again = asyncio.Event()

    async def on_tick(self, counter: int) -> bool:
        self.looks += 1
        if self.looks > 1:
            self.again.set()
        return await super().on_tick(counter)


@contextlib.asynccontextmanager
async def running() -> AsyncGenerator[tuple[Noted, str]]:
    sockets = bind("127.0.0.1", 0, 1)
    assert not isinstance(sockets, Unbound)
    made = Noted(server(PlainTextResponse("here"), drain_s=1).config)
    serving = asyncio.create_task(made.serve(sockets=list(sockets)))
    try:
        yield made, f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    finally:
        made.end()
        await serving


async def test_a_server_wakes_up_only_to_renew_the_date_of_its_answers() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with running() as (made, url), httpx.AsyncClient() as client:
        answer = await client.get(url)
        assert answer.text == "here"
        assert answer.headers["date"].endswith("GMT")
        await asyncio.wait_for(made.again.wait(), 30)
        assert loop.time() - began >= listening.TICK_S * 0.9, "it has woken up for nothing"


async def test_a_server_stops_without_waiting_for_its_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "TICK_S", 3600)
    async with asyncio.timeout(30), running() as (_, url), httpx.AsyncClient() as client:
        assert (await client.get(url)).text == "here"
