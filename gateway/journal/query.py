"""Queries of a journal: filter its records, and find calls with the policy that decided them.

Rule 1: a filter applies to decisions and refusals; a completion belongs to its call.
Rule 2: memory is limited by the calls in progress, not by the size of the journal.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.journal.reader import read
from gateway.journal.record_expander import DESCRIBED_NS, Expander, is_description
from gateway.journal.segment_lines import Read

_OPEN: Final = 100_000
_FOUND: Final = 20
_DIGEST: Final = 8
"""The minimum number of characters of a token's digest that identify it."""
JUDGED: Final = frozenset({"decided", "refused"})
SHOWN: Final = JUDGED | {"policy"}
"""The kinds of records with a separate line in a displayed journal: calls, and events of the policy."""


class Filter(Struct, frozen=True, kw_only=True):
    """The records to show; an empty field does not restrict. `rule` is a rule or a requirement, `tool` is any target.

    Records of earlier builds may lack fields, such as the trace, and then do not match a filter for them.
    """

    agent: str = ""
    server: str = ""
    tool: str = ""
    outcome: str = ""
    rule: str = ""
    principal: str = ""
    conversation: str = ""
    trace: str = ""
    since_ns: int = 0

    def matches(self, record: Read) -> bool:
        """Return whether the filter selects a record of kind `decided` or `refused`."""
        return (
            record["at"] >= self.since_ns
            and self.agent in ("", agent_of(record))
            and self.server in ("", record.get("server", ""))
            and self.tool in ("", target_of(record))
            and self.outcome in ("", outcome_of(record))
            and (not self.rule or self.rule in named_in(record))
            and self.conversation in ("", record.get("conversation", ""))
            and self.trace in ("", record.get("trace_id", ""))
            and (not self.principal or names_principal(record, self.principal))
        )


class FoundCall(Struct, frozen=True, kw_only=True):
    """A call with its two records; `completed` is None while it is in progress, or if its gateway was killed."""

    decided: Read
    completed: Read | None = None


def agent_of(record: Read) -> str:
    """Return the registered agent of a record, empty if none was resolved."""
    agent: dict[str, Any] = record.get("agent") or {}
    return str(agent.get("id", ""))


def target_of(record: Read) -> str:
    """Return the name or URI of the target of a message, empty if it has no target."""
    target: dict[str, Any] = record.get("target") or {}
    return str(target.get("name") or target.get("uri") or "")


def outcome_of(record: Read) -> str:
    """Return `allow`, `hold`, `deny`, or `refused` for a message that was not decided."""
    return "refused" if record["kind"] == "refused" else str(record.get("outcome", ""))


def rule_of(record: Read) -> str:
    """Return the first of the rules that a record names as its grounds, empty if there is none."""
    grounds: list[dict[str, Any]] = record.get("grounds") or []
    return str(record.get("rule") or (grounds[0].get("rule", "") if grounds else ""))


def named_in(record: Read) -> set[str]:
    """Return the rules and requirements that a record names as its reasons and grounds."""
    rules = {str(ground.get("rule")) for ground in record.get("grounds", ())}
    return rules | {str(reason.get("requirement")) for reason in record.get("reasons", ())} | {record.get("code", "")}


def names_principal(record: Read, name: str) -> bool:
    """Return whether `name` is a record's subject, `issuer#subject`, client id or token digest."""
    principal: dict[str, Any] = record.get("principal") or {}
    subject, digest = principal.get("subject"), str(principal.get("credential_sha256") or "")
    if name in (subject, principal.get("client_id"), f"{principal.get('issuer')}#{subject}"):
        return True
    return len(name) >= _DIGEST and digest.startswith(name)


class Selection:
    """A filter of the wanted records and the completions of those calls, for one or more batches of records."""

    def __init__(self, wanted: Filter) -> None:
        """Begin without a call in progress."""
        self._wanted: Final = wanted
        self._everything: Final = wanted == Filter(since_ns=wanted.since_ns)
        self._under_way: Final[OrderedDict[str, None]] = OrderedDict()

    def of(self, records: Iterable[Read]) -> Iterator[Read]:
        """Return the wanted ones of the next records."""
        return (record for record in records if self._takes(record))

    def _takes(self, record: Read) -> bool:
        kind, call_id = record["kind"], record.get("call_id", "")
        if kind == "completed":
            return self._under_way.pop(call_id, 0) is None
        if kind not in JUDGED:
            return self._everything
        taken = self._wanted.matches(record)
        if taken:
            self._under_way[call_id] = None
            while len(self._under_way) > _OPEN:
                self._under_way.popitem(last=False)
        return taken


def select(records: Iterable[Read], wanted: Filter) -> Iterator[Read]:
    """Return the wanted records, and the completions of those calls."""
    return Selection(wanted).of(records)


class LastCalls:
    """The last records to show, each call with its completion."""

    def __init__(self, most: int) -> None:
        """Keep at most `most` records; drop the oldest first."""
        self._most: Final = most
        self._found: Final[OrderedDict[tuple[str, int], FoundCall]] = OrderedDict()
        self._latest: Final[dict[str, tuple[str, int]]] = {}

    def add(self, record: Read) -> None:
        """Add the next record."""
        key, call_id = (record["writer"], record["sequence"]), record.get("call_id", "")
        if record["kind"] in JUDGED:
            self._found[key] = FoundCall(decided=record)
            self._latest[call_id] = key
            self._drop()
        elif record["kind"] == "policy":
            self._found[key] = FoundCall(decided=record)
            self._drop()
        elif record["kind"] == "completed" and call_id in self._latest:
            decided = self._found[self._latest[call_id]].decided
            self._found[self._latest[call_id]] = FoundCall(decided=decided, completed=record)

    def _drop(self) -> None:
        if len(self._found) > self._most:
            dropped, call = self._found.popitem(last=False)
            if self._latest.get(name := call.decided.get("call_id", "")) == dropped:
                del self._latest[name]

    def all(self) -> list[FoundCall]:
        """Return the calls, oldest first."""
        return list(self._found.values())


def joined(records: Iterable[Read], last: int) -> list[FoundCall]:
    """Return the last records to show, each call with its completion if there is one."""
    calls = LastCalls(last)
    for record in records:
        calls.add(record)
    return calls.all()


def find(directory: Path, identifier: str) -> list[FoundCall]:
    """Return the last 20 calls whose call id or decision id begins with `identifier`, each expanded."""
    needles = [f'"{name}":"{identifier}'.encode() for name in ("call_id", "decision_id")]

    def wanted(line: bytes) -> bool:
        return any(needle in line for needle in needles)

    calls = LastCalls(_FOUND)
    for record in read(directory, wanted=wanted):
        if record["kind"] == "completed":
            calls.add(record)
        elif record["kind"] in JUDGED and _begins(record, identifier):
            calls.add(record)
            needles.append(f'"call_id":"{record.get("call_id")}"'.encode())
    return [replace(call, decided=_whole(directory, call.decided)) for call in calls.all()]


def _whole(directory: Path, record: Read) -> Read:
    """Return a record expanded with the earlier descriptions of its sender, its definition and its rules."""
    expander = Expander()
    if record["kind"] == "decided":
        for description in read(directory, since_ns=record["at"] - DESCRIBED_NS, wanted=is_description):
            if description["at"] > record["at"]:
                break
            if description["kind"] == "described":
                expander.learn(description)
    return expander.whole(record)


def _begins(record: Read, identifier: str) -> bool:
    return any(str(record.get(name, "")).startswith(identifier) for name in ("call_id", "decision_id"))
