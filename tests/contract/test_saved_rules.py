"""A rule that is saved is what a real OPA decides by, a moment later; one that is broken changes nothing."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from gateway.follow.bundle_endpoint_server import listening
from gateway.opa.configuration import BundleSource, configuration
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.scenario_question import acting, asked, question
from gateway.policy.source_watcher import Event, Publisher, SavePublished, SaveRefused

Write = Callable[[str, str], Path]
DENY = "rules:\n  - {rule: nobody-reads, effect: deny, reason: x, what: {tools: [read_file]}}\n"


class Running:
    def __init__(self, session: aiohttp.ClientSession, read: dict[str, Any]) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self._session, self._read = session, read

    async def event(self) -> Event:
        return await asyncio.wait_for(self.events.get(), 20)

    async def outcome(self, revision: str) -> str:
        """The answer to one question, once the revision is in force."""
        url = "http://opa/v1/data/mcp/admission/decision?provenance=true&strict-builtin-errors=true"
        async with asyncio.timeout(10):
            while True:
                answer: dict[str, Any] = {}
                with contextlib.suppress(aiohttp.ClientConnectionError):  # OPA has not opened its socket yet
                    async with self._session.post(url, json={"input": self._read}) as reply:
                        answer = await reply.json()
                bundles: dict[str, Any] = answer.get("provenance", {}).get("bundles", {})
                if bundles.get("policy", {}).get("revision") == revision:
                    return answer["result"]["outcome"]
                await asyncio.sleep(0.01)  # noqa: TID251 - the pace of asking, bounded by the deadline


@asynccontextmanager
async def running(opa: Path, builder: Builder, source: PolicySource, read: dict[str, Any]) -> AsyncGenerator[Running]:
    socket = source.directory / "opa.sock"
    async with (
        listening() as (endpoint, address),
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session,
    ):
        state = Running(session, read)
        publisher = Publisher(builder, source, endpoint, state.events.put_nowait)
        service = BundleSource(
            url=address.url,
            resource=address.resource,
            token=address.token,
            keyid=builder.key.keyid,
            public_key=builder.key.public_pem,
        )
        config = source.directory / "config.json"
        config.write_text(json.dumps(configuration(service)))
        command = ("run", "--server", f"--addr=unix://{socket}", f"--config-file={config}", "--skip-version-check")
        process = await asyncio.create_subprocess_exec(opa, *command, "--log-level=error", env={}, stderr=-3)
        publishing = asyncio.create_task(publisher.run())
        try:
            yield state
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)
            process.kill()
            await process.wait()


@pytest.fixture
def read(content: Callable[[], Content]) -> dict[str, Any]:
    """The question whether the demo's agent may read a file."""
    found = content()
    stated = asked({"agent": "dev", "server": "demo", "tool": "read_file", "arguments": {"path": "a"}}, now=time.time())
    return msgspec.to_builtins(question(stated, acting(stated, found.environment.agents_by_id()), found.data))


async def test_a_saved_rule_is_enforced_and_a_broken_one_is_not(
    opa: Path, verified: Path, repository: Path, put: Write, read: dict[str, Any]
) -> None:
    source = PolicySource(repository, "dev")
    async with running(opa, Builder(verified, opa), source, read) as state:
        first = await state.event()
        assert isinstance(first, SavePublished), first
        assert await state.outcome(first.revision) == "allow"
        place = put("bundles/dev/rules/more.yaml", DENY)
        second = await state.event()
        assert isinstance(second, SavePublished), second
        assert await state.outcome(second.revision) == "deny"
        put("bundles/dev/rules/more.yaml", DENY.replace("deny", "dney"))
        broken = await state.event()
        assert isinstance(broken, SaveRefused), broken
        assert [(problem.file, problem.line) for problem in broken.problems] == [("bundles/dev/rules/more.yaml", 2)]
        assert await state.outcome(second.revision) == "deny"
        place.unlink()
        third = await state.event()
        assert isinstance(third, SavePublished), third
        assert await state.outcome(third.revision) == "allow"
