"""A hub in this process, and clients of every role."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.hub.app import Hub, application
from gateway.hub.serve import composed
from gateway.hub.settings import HubSettings, load
from tests.hubs import Ground, bundle, ground
from tests.unit.opa.support import Log


class Inside:
    """The hub without a socket."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.log = Log()
        settings = load(ground.settings)
        assert isinstance(settings, HubSettings), settings
        self.settings = settings
        self.hub: Hub = composed(settings, self.log)
        self.app = application(self.hub)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://hub")

    async def call(self, role: str, method: str, place: str, **more: Any) -> httpx.Response:
        headers = (self.ground.headers(role) if role else {}) | more.pop("headers", {})
        return await self.client.request(method, place, headers=headers, **more)

    def bundle(self, answer: object, seq: int, **metadata: Any) -> bytes:
        return bundle(answer, self.ground.key, seq, **metadata)

    async def upload(self, content: bytes) -> httpx.Response:
        return await self.call("publisher", "POST", "/v1/artefacts", content=content)

    async def point(self, digest: str, expected: str | None, channel: str = "production") -> httpx.Response:
        body = {"digest": digest, "because": "a test", "expected": expected}
        return await self.call("publisher", "PUT", f"/v1/channels/{channel}", json=body)

    async def publish(self, content: bytes, expected: str | None = None, channel: str = "production") -> dict[str, Any]:
        """Upload and point; return the pointer."""
        uploaded = await self.upload(content)
        assert uploaded.status_code == 201, uploaded.text
        pointed = await self.point(uploaded.json()["digest"], expected, channel)
        assert pointed.status_code == 200, pointed.text
        return dict(pointed.json())

    async def poll(
        self, channel: str = "production", etag: str = "", wait: float = 0, query: str = ""
    ) -> httpx.Response:
        headers = {"if-none-match": etag, "prefer": f"modes=snapshot,delta;wait={wait}"}
        return await self.call("gateway", "GET", f"/bundles/{channel}.tar.gz{query}", headers=headers)

    async def beat(self, gateway: str, revision: str, **more: Any) -> httpx.Response:
        body = {"gateway": gateway, "channel": "production", "revision": revision, **more}
        return await self.call("gateway", "POST", "/v1/heartbeats", json=body)


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncGenerator[Inside]:
    inside = Inside(ground(tmp_path))
    async with inside.client:
        yield inside
