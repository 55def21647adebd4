"""A real OPA, started and configured as the gateway starts it, that follows a bundle endpoint of ours."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson

from gateway.artifact.signing import SigningKey
from gateway.follow.bundle_endpoint import BundleEndpoint, Offer
from gateway.follow.bundle_endpoint_server import listening
from gateway.opa.answer import BUNDLE
from gateway.opa.configuration import BundleSource, Memory, command, environment, write
from gateway.opa.transport import Exchanged

DEADLINE_S: Final = 60
_DECISION: Final = "http://opa/v1/data/mcp/admission/decision?provenance=true&strict-builtin-errors=true"


class Following:
    """What such an OPA answers, and the endpoint that it follows."""

    def __init__(self, endpoint: BundleEndpoint, session: aiohttp.ClientSession) -> None:
        self._endpoint = endpoint
        self._session = session

    def put(self, content: bytes, etag: str) -> None:
        self._endpoint.put(Offer(f'"{etag}"', content))

    async def asked(self, question: Any = None) -> Exchanged:
        """OPA's answer to a question; nothing that can be decoded while it does not listen yet."""
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with self._session.post(_DECISION, json={"input": question or {}}) as reply:
                return Exchanged(reply.status, await reply.read())
        return Exchanged(200, b"{}")

    async def decides(self) -> tuple[Any, str]:
        """The decision on an empty question, and the revision that made it."""
        answer = orjson.loads((await self.asked()).body)
        return answer.get("result"), answer.get("provenance", {}).get("bundles", {}).get(BUNDLE, {}).get("revision", "")

    async def status(self) -> dict[str, Any]:
        """What OPA says of its policy bundle."""
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with self._session.get("http://opa/v1/status") as reply:
                return dict((await reply.json())["result"].get("bundles", {}).get(BUNDLE, {}))
        return {}


async def until(ask: Callable[[], Any], holds: Callable[[Any], bool]) -> Any:
    """Ask until the answer holds, or fail."""
    async with asyncio.timeout(DEADLINE_S):
        while not holds(answer := await ask()):
            await asyncio.sleep(0.01)  # noqa: TID251 - the pace of asking, bounded by the deadline
    return answer


@asynccontextmanager
async def following(opa: Path, key: SigningKey, scratch: Path) -> AsyncGenerator[Following]:
    """OPA while it follows an endpoint, and takes what the key signed."""
    async with listening() as (endpoint, address):
        source = BundleSource(
            url=address.url,
            resource=address.resource,
            token=address.token,
            keyid=key.keyid,
            public_key=key.public_pem,
            algorithm=key.algorithm,
        )
        write(scratch, source)
        socket = scratch / "opa.sock"
        process = await asyncio.create_subprocess_exec(*command(opa, scratch, socket), env=environment(Memory()))
        try:
            async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
                yield Following(endpoint, session)
        finally:
            process.kill()
            await process.wait()
