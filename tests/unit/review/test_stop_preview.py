"""The preview of a stop evaluates equal messages once and counts unknown ones as unknown."""

from typing import Any, Final

import orjson
import pytest

from gateway.artifact.stops_bundle import Kind, Stop
from gateway.opa.transport import Broken, Exchanged
from gateway.review.stop_preview import Agents, Hits, agents_of, hits

AGENTS: Final[dict[str, Any]] = {
    "agents": {
        "a": {"kind": "cursor", "labels": ["x"]},
        "b": {"kind": "cursor", "labels": []},
        "c": {"kind": "vscode", "labels": ["x"]},
    }
}
NOW: Final = 1_800_000_000_000_000_000


class Opa:
    """Says of messages of one agent that they are stopped."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.asked: list[Any] = []

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        del path
        question = orjson.loads(body or b"")["input"]["question"]
        self.asked.append(question)
        if self.status == 0:
            return Broken("gone")
        met = question["principal"]["subject"] != "eve"
        result = {"result": {"nothing_is_stopped": {"met": met}} if self.status != 204 else {}}
        return Exchanged(200 if self.status == 204 else self.status, orjson.dumps(result))

    async def close(self) -> None:
        return


def record(subject: str, *, at: int = 0, target: str = "tool", outcome: str = "allow") -> Any:
    context = {"time": {"unix_ns": at}, "source_ip": f"10.0.0.{at}", "session": "s"}
    question = {
        "principal": {"subject": subject},
        "target": {"type": target},
        "context": context,
        "arguments": {"n": at},
    }
    return {"outcome": outcome, "input": question}


def stop(**chosen: str) -> Stop:
    (kind, name), *rest = chosen.items()
    first: Any = kind
    also: dict[Kind, str] = dict(rest)  # pyright: ignore[reportAssignmentType]
    return Stop(id="s", kind=first, name=name, until_unix_ns=1, because="x", by="x", at="", also=also)


async def test_equal_messages_are_evaluated_once_and_as_of_now() -> None:
    opa = Opa()
    records = [record("eve", at=1), record("eve", at=2), record("eve", at=3, target="none"), record("bob")]
    records += [record("eve", outcome="deny"), {"outcome": "allow", "input": None}]
    assert await hits(opa, records, NOW) == Hits(messages=3, calls=2, of=5, unknown=1)
    assert len(opa.asked) == 3
    assert {asked["context"]["time"]["unix_ns"] for asked in opa.asked} == {NOW}


@pytest.mark.parametrize("status", [0, 500, 204])
async def test_a_message_without_an_answer_of_opa_is_unknown(status: int) -> None:
    assert await hits(Opa(status), [record("eve"), record("bob")], NOW) == Hits(messages=0, calls=0, of=2, unknown=2)


@pytest.mark.parametrize(
    ("chosen", "names", "exact"),
    [
        ({"agent": "a"}, ["a"], True),
        ({"kind": "cursor"}, ["a", "b"], True),
        ({"kind": "cursor", "label": "x"}, ["a"], True),
        ({"label": "x", "action": "delete"}, ["a", "c"], False),
        ({"server": "s"}, ["a", "b", "c"], False),
        ({"agent": "nobody"}, [], True),
    ],
)
def test_the_agents_are_those_that_the_selectors_can_mean(chosen: Any, names: list[str], exact: bool) -> None:
    assert agents_of(stop(**chosen), AGENTS) == Agents(names=names, of=3, exact=exact)
