"""Preview of a stop: the agents of a policy and the recorded messages that it would refuse.

Rule 1: the policy itself decides whether a message is stopped, in an OPA that has loaded the stop. This module matches
nothing.
Rule 2: messages that are equal in everything that a stop can select are evaluated once.
Rule 3: a message without a recorded question counts as unknown, never as unaffected.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import orjson
from msgspec import Struct

from gateway.admission.question import moment
from gateway.artifact.json_narrowing import Json, is_object
from gateway.artifact.stops_bundle import Kind, Stop, selectors
from gateway.journal.segment_lines import Read
from gateway.opa.transport import Broken, Transport
from gateway.review.sidecar import STATE

_OK: Final = 200
_REQUIREMENT: Final = "nothing_is_stopped"
_OF_AGENTS: Final = frozenset({"agent", "kind", "label"})
_TARGETED: Final = frozenset({"tool", "prompt", "resource", "task"})
_NOTHING: Final[dict[str, Any]] = {"arguments": {}, "items": []}


class Agents(Struct, frozen=True, kw_only=True):
    """The agents that a stop can affect; `exact` is false if other selectors may exclude some of them."""

    names: Sequence[str]
    of: int
    exact: bool


class Hits(Struct, frozen=True, kw_only=True):
    """The number of recorded, allowed messages that a stop would refuse; `calls` of them have a target."""

    messages: int
    calls: int
    of: int
    unknown: int


def agents_of(stop: Stop, data: Json) -> Agents:
    """Return the agents of a policy that the stop can affect."""
    agents: Mapping[str, Any] = data.get("agents", {})
    chosen = selectors(stop)
    names = [name for name, agent in sorted(agents.items()) if _fits(chosen, name, agent)]
    return Agents(names=names, of=len(agents), exact=chosen.keys() <= _OF_AGENTS)


def _fits(chosen: Mapping[Kind, str], name: str, agent: Mapping[str, Any]) -> bool:
    return (
        chosen.get("agent", name) == name
        and chosen.get("kind", agent.get("kind")) == agent.get("kind")
        and ("label" not in chosen or chosen["label"] in agent.get("labels", ()))
    )


async def hits(exchange: Transport, records: Iterable[Read], unix_ns: int) -> Hits:
    """Evaluate each record of an allowed message as if it arrived at `unix_ns`."""
    alike: Counter[bytes] = Counter()
    unknown = 0
    for record in records:
        if record.get("outcome") != "allow":
            continue
        question = record.get("input")
        if is_object(question):
            alike[_key(question, unix_ns)] += 1
        else:
            unknown += 1
    total, stopped = alike.total() + unknown, Counter[bool]()
    for body, count in alike.items():
        refused = await _is_stopped(exchange, body)
        if refused is None:
            unknown += count
        elif refused:
            stopped[_has_target(body)] += count
    return Hits(messages=stopped.total(), calls=stopped[True], of=total, unknown=unknown)


def _key(question: Json, unix_ns: int) -> bytes:
    """Return the question as of now, without the fields that no stop selects by."""
    context = {**question.get("context", {}), "time": msgspec.to_builtins(moment(unix_ns)), "source_ip": ""}
    return orjson.dumps({**question, **_NOTHING, "context": context}, option=orjson.OPT_SORT_KEYS)


def _has_target(body: bytes) -> bool:
    return orjson.loads(body).get("target", {}).get("type") in _TARGETED


async def _is_stopped(exchange: Transport, body: bytes) -> bool | None:
    """Return whether the policy refuses a message because of a stop; None if OPA does not return it."""
    answer = await exchange.exchange(STATE, orjson.dumps({"input": {"question": orjson.loads(body)}}))
    if isinstance(answer, Broken) or answer.status != _OK:
        return None
    try:
        return orjson.loads(answer.body)["result"][_REQUIREMENT]["met"] is not True
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
