"""A hub of a few lines: what a gateway asks of one, and every way in which it can go wrong.

    async with stub_hub() as hub:
        hub.publish(content)                    # bundles/production.tar.gz
        await hub.down(); await hub.up()        # on the same port

Rule 1: it judges nothing: what a test publishes is served, however broken.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import web

TOKEN: Final = "the-token-of-the-hub"
MEDIA_TYPE: Final = "application/vnd.openpolicyagent.bundles"
POLICY: Final = "bundles/production.tar.gz"
EMERGENCY: Final = "bundles/emergency.tar.gz"


class StubHub:
    """Serves bytes by long poll, and keeps what it is told."""

    def __init__(self) -> None:
        self.beats: list[dict[str, Any]] = []
        self.asked: list[web.Request] = []
        self.beaten = asyncio.Event()
        self.refused = 0
        self.refusal: dict[str, str] | None = None
        """What heartbeats are refused with; None: they are taken."""
        self.nonsense = b""
        """What heartbeats are refused with that no JSON parser takes."""
        self.silent = False
        """True: questions are taken and never answered."""
        self._bundles: dict[str, bytes] = {}
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def publish(self, content: bytes, path: str = POLICY) -> None:
        self._bundles[path] = content
        self._wake()

    async def up(self) -> None:
        app = web.Application()
        app.router.add_get("/{path:bundles/.*}", self._serve)
        app.router.add_post("/v1/heartbeats", self._beat)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True).start()
        self._port = self._runner.addresses[0][1]

    async def down(self) -> None:
        runner, self._runner = self._runner, None
        if runner is not None:
            self._wake()
            await runner.cleanup()

    def _wake(self) -> None:
        woken, self._changed = self._changed, asyncio.Event()
        woken.set()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        path, known = request.match_info["path"], request.headers.get("If-None-Match")
        if self.silent:
            await asyncio.Event().wait()
        if known and known == self._etag(path):
            await self._held(request)
        content = self._bundles.get(path)
        if content is None or self._runner is None:
            return web.Response(status=404 if self._runner else 503)
        if known == self._etag(path):
            return web.Response(status=304)
        return web.Response(body=content, headers={"ETag": self._etag(path), "Content-Type": MEDIA_TYPE})

    async def _held(self, request: web.Request) -> None:
        wait = re.search(r"wait=(\d+)", request.headers.get("Prefer", ""))
        try:
            await asyncio.wait_for(self._changed.wait(), float(wait[1]) if wait else 0)
        except TimeoutError:
            return

    def _etag(self, path: str) -> str:
        content = self._bundles.get(path)
        return "" if content is None else f'"{hashlib.sha256(content).hexdigest()}"'

    async def _beat(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.refused += 1
            return web.Response(status=401)
        if self.nonsense:
            self.refused += 1
            return web.Response(status=403, body=self.nonsense)
        if self.refusal is not None:
            self.refused += 1
            return web.json_response(self.refusal, status=403)
        self.beats.append(await request.json())
        self.beaten.set()
        return web.Response(status=204)


@asynccontextmanager
async def stub_hub() -> AsyncGenerator[StubHub]:
    """A hub until the end of the block."""
    hub = StubHub()
    await hub.up()
    try:
        yield hub
    finally:
        await hub.down()
