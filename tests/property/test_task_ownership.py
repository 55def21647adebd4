"""Two callers, two workers and a server that cannot tell callers apart: each caller has its own tasks only."""

import asyncio
from typing import Any, Final, cast

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from gateway.admission.principal import Principal
from gateway.protocol.ownership_exchange import Claim, Held, united
from gateway.protocol.splicing import altered, spliced
from tests.fakes import FakeReply, World
from tests.unit.server.client import Browser, Got

CALLERS: Final = [Principal(kind="service", method="token", credential_sha256=letter * 64) for letter in "ab"]
SSE: Final = (("content-type", "text/event-stream"),)
RELATED: Final = "io.modelcontextprotocol/related-task"
NAMING: Final = ("tasks/get", "tasks/result", "tasks/cancel")


class Step(Struct, frozen=True):
    """What a caller does at a worker: `named` picks one of all ids that were ever seen by anybody."""

    caller: int
    worker: int
    method: str
    named: int


STEPS: Final = st.lists(
    st.builds(
        Step,
        caller=st.integers(0, 1),
        worker=st.integers(0, 1),
        method=st.sampled_from(["tools/call", "tools/call", "tasks/list", "stream", *NAMING]),
        named=st.integers(0, 40),
    ),
    max_size=25,
)


class Peer:
    """The other worker."""

    def __init__(self) -> None:
        self.others: list[World] = []

    async def held(self, claim: Claim) -> Held | None:
        return united(claim, [world.pipeline.ownership.local(claim) for world in self.others])


class TaskServer:
    """Makes a task of every call, and tells everybody everything of all tasks."""

    def __init__(self) -> None:
        self.owners: dict[str, int] = {}
        self.acting = 0
        self.reached: list[tuple[int, str]] = []

    def answer(self, message: dict[str, Any]) -> FakeReply:
        method = message.get("method", "stream")
        news = [self._event("notifications/tasks/status", self._task(task)) for task in self.owners]
        for task, owner in self.owners.items():
            news.append(self._event("notifications/message", {"data": f"of {owner}", **_related(task)}))
        if method == "stream":
            return FakeReply(*news, media="sse", headers=SSE)
        result = self._result(method, message.get("params", {}))
        end = b"data: " + orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}) + b"\n\n"
        return FakeReply(*news, end, media="sse", headers=SSE)

    def _result(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        if method == "tools/call":
            task = f"task-{len(self.owners)}"
            self.owners[task] = self.acting
            return {"task": self._task(task)}
        if method == "tasks/list":
            return {"tasks": [self._task(task) for task in self.owners]}
        if method in NAMING:
            self.reached.append((self.acting, params["taskId"]))
            return {**self._task(params["taskId"]), **_related(params["taskId"])}
        return {"tools": []}

    def _task(self, task: str) -> dict[str, Any]:
        return {"taskId": task, "status": "working", "statusMessage": f"of {self.owners.get(task)}"}

    def _event(self, method: str, params: dict[str, Any]) -> bytes:
        return b"data: " + orjson.dumps({"jsonrpc": "2.0", "method": method, "params": params}) + b"\n\n"


def _related(task: str) -> dict[str, Any]:
    return {"_meta": {RELATED: {"taskId": task}}}


async def acted(worlds: list[World], step: Step, texts: list[str]) -> Got:
    """Return what a caller gets."""
    world = worlds[step.worker]
    world.callers.outcome = CALLERS[step.caller]
    browser = Browser(world)
    if step.method == "stream":
        opening = (("accept", "text/event-stream"), ("mcp-protocol-version", "2025-11-25"))
        return await browser.send(b"", *opening, verb="GET")
    params = {"taskId": texts[step.named % len(texts)]} if step.method in NAMING else {"name": "t"}
    return await browser.legacy(step.method, params)


def ids_in(value: Any) -> list[str]:
    """Return every task id in a message."""
    own = [str(found) for key, found in inside(value) if key == "taskId"]
    return own + [found for _, inner in inside(value) for found in ids_in(inner)]


def inside(value: Any) -> list[tuple[str | int, Any]]:
    """Return the members of an object or an array with their keys or indexes."""
    if isinstance(value, dict):
        return [*cast("dict[str | int, Any]", value).items()]
    return [*enumerate(cast("list[Any]", value))] if isinstance(value, list) else []


@given(STEPS)
@settings(max_examples=60, deadline=None)
def test_nobody_sees_or_reaches_a_task_of_another(steps: list[Step]) -> None:
    server, peers = TaskServer(), [Peer(), Peer()]
    worlds = [World(upstream=server.answer, peers=peer) for peer in peers]
    peers[0].others, peers[1].others = [worlds[1]], [worlds[0]]
    texts = ["task-0", "task-1"]
    created = 0
    for step in steps:
        server.acting = step.caller
        got = asyncio.run(acted(worlds, step, texts))
        other = 1 - step.caller
        assert f"of {other}".encode() not in got.body
        seen = [found for event in got.events for found in ids_in(event)]
        assert not set(seen) & server.owners.keys()
        texts += [text for text in dict.fromkeys(seen) if text not in texts]
        if step.method == "tools/call":
            created += 1
            assert "task" in got.events[-1]["result"]
        if step.method == "tasks/list":
            own = [task for task, owner in server.owners.items() if owner == step.caller]
            assert len(got.events[-1]["result"]["tasks"]) == len(own)
    assert len(server.owners) == created
    assert all(server.owners[task] == caller for caller, task in server.reached)


KEYS: Final = st.text(st.sampled_from('ab"\\\u00e9'), max_size=2)
VALUES: Final = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Return the paths of all values."""
    return [path, *(found for key, inner in inside(value) for found in paths(inner, (*path, key)))]


@given(st.data(), VALUES)
def test_a_splice_changes_the_named_values_and_nothing_else(data: st.DataObject, value: Any) -> None:
    path = data.draw(st.sampled_from(paths(value)))
    changed = altered(value, {path: "NEW"})
    assert orjson.loads(spliced(orjson.dumps(value), {path: "NEW"})) == changed
    assert altered(changed, {}) is changed
    assert spliced(b' {"a": 1.50, "b": 1E400, "c":"x"} ', {("c",): 1}) == b'{"a":1.50,"b":1E400,"c":1}'
