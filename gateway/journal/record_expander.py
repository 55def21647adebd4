"""Expand the lines of a journal to full records, with the descriptions that come before them.

Rule 1: `decided` records of `mcp.record/v2` are converted to the form of `mcp.record/v1`, so that `explain`, `replay`
and `journal show` read one form. Other kinds, and records of v1, are not changed.
Rule 2: a key without a description, or with two different ones, is unknown. Without its circumstances, a question
cannot be replayed. Without its definition, a rule that reads the definition cannot be replayed.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import orjson
from msgspec import UNSET

from gateway.admission.policy_input import (
    ArgumentsMeta,
    AskedMessage,
    Client,
    Context,
    Definition,
    DefinitionStatus,
    Gateway,
    PolicyInput,
    Server,
    Target,
)
from gateway.admission.principal import Principal
from gateway.admission.question import moment
from gateway.admission.record import unix_ns_of
from gateway.admission.secret_texts import MASKED
from gateway.journal.described_records import REPEATED_NS
from gateway.journal.record_lines import CircumstancesLine, DecidedLine, DefinitionLine, DescribedLine
from gateway.journal.record_writer import DEFINITION_DIGITS, UNSTATED, USUAL
from gateway.journal.segment_lines import Read

UNDESCRIBED: Final = "undescribed"
"""The member of an expanded record whose question was recorded, but whose circumstances were not found."""
DESCRIBED_NS: Final = REPEATED_NS + 60_000_000_000
"""The maximum age of a record's descriptions; it includes a minute for records that waited to be written."""
_DESCRIBED: Final = b'"kind":"described"'
_V1: Final = "mcp.record/v1"
_UNKNOWN: Final = object()


def is_description(line: bytes) -> bool:
    """Return whether a line may be a description."""
    return _DESCRIBED in line


class Expander:
    """A converter of the records of a journal, in their order, to expanded records."""

    def __init__(self) -> None:
        """Begin without descriptions."""
        self._circumstances: Final[dict[str, CircumstancesLine | object]] = {"": CircumstancesLine()}
        self._definitions: Final[dict[str, DefinitionLine | object]] = {}
        self._texts: Final[dict[tuple[str, ...], dict[str, Any]]] = {}

    def expanded(self, records: Iterable[Read]) -> Iterator[Read]:
        """Yield the records expanded, without the descriptions."""
        for record in records:
            if record["kind"] == "described":
                self.learn(record)
            else:
                yield self.whole(record)

    def learn(self, record: Read) -> None:
        """Add a description; ignore one that is not valid."""
        try:
            line = msgspec.convert(record, DescribedLine)
        except msgspec.ValidationError:
            return
        if line.circumstances is not None:
            _keep(self._circumstances, line.sender, line.circumstances)
        if line.definition is not None:
            _keep(self._definitions, line.definition.sha256[:DEFINITION_DIGITS], line.definition)
        texts = [("agent", line.agent.id, line.agent)] if line.agent is not None else []
        texts += [("server", line.server.id, line.server)] if line.server is not None else []
        for what, name, text in (*texts, *(("rule", ground.rule, ground) for ground in line.grounds)):
            key = line.revision, what, name
            self._texts[key] = self._texts.get(key, {}) | msgspec.to_builtins(text)

    def whole(self, record: Read) -> Read:
        """Return a record expanded, or unchanged if it is not valid for its kind."""
        if record["kind"] != "decided" or record.get("schema") == _V1:
            return record
        try:
            line = msgspec.convert(record, DecidedLine)
            return self._decided(record, line)
        except (msgspec.ValidationError, ValueError):
            return record

    def _decided(self, record: Read, line: DecidedLine) -> Read:
        circumstances = self._circumstances.get(line.sender)
        common = circumstances if isinstance(circumstances, CircumstancesLine) else CircumstancesLine()
        definition = self._definitions.get(line.definition)
        seen = definition if isinstance(definition, DefinitionLine) else None
        recorded, known = line.arguments.values is not None, common is circumstances
        whole = {
            **record,
            **self._texts_of(line),
            **_said_of(line, common),
            "definition": seen.sha256 if seen is not None else line.definition,
            "replayable": line.replayable and known and (seen is not None or not line.definition),
            "input": _question(line, common, seen) if recorded and known else None,
        }
        return whole | {UNDESCRIBED: True} if recorded and not known else whole

    def _texts_of(self, line: DecidedLine) -> Read:
        """Return the texts of the policy about the agent, the server and the rules of the decision."""
        agent = {"id": line.agent.id} if line.agent is not None else None
        server = self._text(line, "server", line.server)
        grounds = [
            msgspec.to_builtins(ground) | {"effect": ground.effect} | self._text(line, "rule", ground.rule)
            for ground in line.grounds
        ]
        return {
            "agent": agent and agent | self._text(line, "agent", agent["id"]),
            "trust": server.get("trust", ""),
            "credential": server.get("credential", "") if line.outcome == "allow" else "",
            "grounds": grounds,
            "rule": line.grounds[0].rule if line.grounds else "",
            "requirement": line.reasons[0].requirement if line.reasons else "",
        }

    def _text(self, line: DecidedLine, what: str, name: str) -> Read:
        return self._texts.get((line.revision, what, name), {})


def _keep(known: dict[str, Any], key: str, value: CircumstancesLine | DefinitionLine) -> None:
    """Store a description; if this key already has a different one, mark the key as unknown."""
    known[key] = value if known.get(key, value) == value else _UNKNOWN


def _said_of(line: DecidedLine, common: CircumstancesLine) -> Read:
    """Return the fields of a decision about its sender and its message, in the form of version 1."""
    principal = {"method": common.method, **_plain(common), **_plain(line.principal)}
    caller = ("kind", "method", "issuer", "subject", "client_id", "groups", "delegation", "credential_sha256")
    return {
        "unix_ns": unix_ns_of(line.time),
        "decision_id": line.decision_id or line.call_id,
        "masking": line.masking,
        "phase": line.phase,
        "message_kind": line.message_kind,
        "action_source": line.action_source,
        "pin": line.pin,
        "target": msgspec.to_builtins(_target(line)),
        "principal": {name: principal[name] for name in caller if name in principal},
        "client": msgspec.to_builtins(common.client),
        "protocol": common.protocol,
        "era": common.era,
        "session": common.session,
        "emergency": common.emergency,
        "arguments": _plain(line.arguments),
    }


def _plain(part: msgspec.Struct) -> Read:
    """Return the fields that are set, as plain JSON values."""
    return orjson.loads(msgspec.json.encode(part))


def _target(line: DecidedLine) -> Target:
    said = msgspec.to_builtins(line.target)
    return msgspec.convert({"type": USUAL.get(line.method, "none"), **said}, Target)


def _question(line: DecidedLine, common: CircumstancesLine, seen: DefinitionLine | None) -> Read:
    """Return the policy input of a decision, with a mask in place of an unknown definition."""
    asked: Read = msgspec.to_builtins(
        PolicyInput(
            phase=line.phase,
            message=_message(line, common),
            principal=_principal(line, common),
            client=Client(name=common.client.name, version=common.client.version),
            server=Server(id=line.server),
            target=_target(line),
            context=Context(
                time=moment(unix_ns_of(line.time)),
                source_ip=line.source_ip,
                gateway=common.gateway or Gateway(id="", version=""),
                headers=common.headers,
                session=common.session,
            ),
            definition=Definition(sha256=seen.sha256, parts=seen.parts, annotations=seen.annotations) if seen else None,
            definition_status=_status(line),
            arguments=line.arguments.values or {},
            arguments_meta=_measures(line),
            items=list(line.items),
        )
    )
    return asked | {"definition": MASKED} if line.definition and seen is None else asked


def _message(line: DecidedLine, common: CircumstancesLine) -> AskedMessage:
    said = {"method": line.method, "kind": line.message_kind, "revision": common.protocol, "era": common.era}
    retry = {} if line.retry is None else {"retry": line.retry}
    return msgspec.convert(said | retry, AskedMessage)


def _principal(line: DecidedLine, common: CircumstancesLine) -> Principal:
    said = {
        "client_id": common.client_id,
        **_plain(line.principal),
        "method": common.method,
        "issuer": common.issuer,
        "groups": list(common.groups),
        "scopes": list(common.scopes),
        "unknown": list(common.unknown),
        "claims": common.claims,
        "delegation": list(common.delegation),
        "credential_sha256": common.credential_sha256,
    }
    return msgspec.convert(said, Principal)


def _status(line: DecidedLine) -> Any:
    said = line.definition_status or ("seen" if line.definition else UNSTATED)
    return UNSET if said == UNSTATED else msgspec.convert(said, DefinitionStatus)


def _measures(line: DecidedLine) -> ArgumentsMeta:
    measures = line.arguments
    return ArgumentsMeta(
        bytes=measures.bytes,
        digest=measures.sha256,
        depth=measures.depth,
        schema=measures.schema,
        formats=measures.formats,
        unchecked=list(measures.unchecked),
        errors=list(measures.errors),
    )
