"""A question in a person's words, stated as the gateway would state it: for `ask` and for scenarios.

Rule 1: the input is made of the gateway's own types; nothing is told to OPA that the gateway could not have told it.
Rule 2: who asks is one of the agent's own credentials; an agent that has none is given one for this question only,
and the answer says so.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from msgspec import Struct

from gateway.admission.addresses import plain_address
from gateway.admission.digests import PARTS, DriftClass
from gateway.admission.policy_input import (
    AskedMessage,
    Client,
    Context,
    Definition,
    Era,
    Gateway,
    Phase,
    PolicyInput,
    Server,
    Target,
)
from gateway.admission.principal import ANONYMOUS, UNCARRIED, ClaimField, Principal
from gateway.admission.question import measured, moment
from gateway.admission.uris import with_normal_uri
from gateway.artifact.json_types import Json
from gateway.policy.sources.timestamps import unix_seconds
from gateway.protocol.methods import METHODS

_NS: Final = 1_000_000_000
_UNSEEN: Final = "unseen"
_SOMEBODY: Final = "-"
"""The subject or client of a token whose identity does not state it."""


class StatedQuestion(Struct, frozen=True, kw_only=True):
    """Who wants to do what, when (Unix seconds); `drifted` are the classes in which the definition left its pin."""

    agent: str
    server: str
    target: Target
    method: str
    at: float
    arguments: Mapping[str, Any] = {}
    groups: tuple[str, ...] = ()
    unknown: tuple[ClaimField, ...] = ()
    """Fields of the principal whose claim cannot be read."""
    token: Mapping[str, Any] = {}
    """What a JWT of the caller says: `issuer`, `subject`, `client_id`, `claims`."""
    source_ip: str = "127.0.0.1"
    seen: bool = True
    drifted: tuple[DriftClass, ...] = ()


class ActingCaller(Struct, frozen=True):
    """A principal that acts as the agent, how it was chosen, and the credentials that it needs besides the bundle's."""

    principal: Principal
    how: str
    credentials: Mapping[str, Any] = {}


def asked(entry: Mapping[str, Any], *, now: float) -> StatedQuestion:
    """The question of a scenario, or of a command line in the same words."""
    definition: Any = entry.get("definition", "pinned")
    at = entry.get("at")
    return StatedQuestion(
        agent=entry["agent"],
        server=entry["server"],
        target=_target(entry),
        method=_method(entry),
        at=now if at is None else unix_seconds(at),
        arguments=entry.get("arguments", {}),
        groups=tuple(entry.get("groups", ())),
        unknown=tuple(sorted(entry.get("unknown", ()))),
        token=entry.get("principal", {}),
        source_ip=plain_address(entry.get("from", "127.0.0.1")),
        seen=definition != _UNSEEN,
        drifted=() if isinstance(definition, str) else tuple(definition["drifted"]),
    )


def _target(entry: Mapping[str, Any]) -> Target:
    if "tool" in entry:
        return Target(type="tool", name=entry["tool"])
    if "prompt" in entry:
        return Target(type="prompt", name=entry["prompt"])
    if "resource" in entry:
        return with_normal_uri(Target(type="resource", uri=entry["resource"]))
    asked_by_server = _direction(entry["method"]) == "server"
    return Target(name=entry["method"] if asked_by_server else None)


def _method(entry: Mapping[str, Any]) -> str:
    called = {"tool": "tools/call", "prompt": "prompts/get", "resource": "resources/read"}
    return next((method for kind, method in called.items() if kind in entry), "") or entry["method"]


def _direction(method: str) -> str:
    sides = {row.direction for row in METHODS if row.name == method}
    return "server" if sides == {"server"} else "client"


def question(asked: StatedQuestion, acting: ActingCaller, data: Json) -> PolicyInput:
    """The policy input, with the definition that the catalog's pin leads one to expect."""
    revision, era = _revision(asked.method)
    return PolicyInput(
        phase=_phase(asked),
        message=AskedMessage(method=asked.method, kind="request", revision=revision, era=era),
        principal=acting.principal,
        client=Client(name="mcp-admission"),
        server=Server(id=asked.server),
        target=asked.target,
        context=Context(
            time=moment(int(asked.at) * _NS),
            source_ip=asked.source_ip,
            gateway=Gateway(id="ask", version="0"),
        ),
        definition=_definition(asked, data) if asked.seen and asked.target.type != "none" else None,
        arguments=dict(asked.arguments),
        arguments_meta=measured(asked.arguments, "match" if asked.target.type == "tool" else "none"),
    )


def _phase(asked: StatedQuestion) -> Phase:
    return "server_request" if _direction(asked.method) == "server" else "request"


def _revision(method: str) -> tuple[str, Era]:
    """The newest revision that knows the method."""
    known = sorted({revision for row in METHODS if row.name == method for revision in row.revisions})
    newest = known[-1] if known else "2026-07-28"
    return newest, "modern" if newest >= "2026" else "legacy"


def acting(asked: StatedQuestion, agents: Mapping[str, Json]) -> ActingCaller:
    """Return the principal: an unexpired token of the agent, an identity, none, or a token for this question.

    Where claims are stated or unknown it is an identity that they fit: only JWTs have claims.
    """
    entry = agents.get(asked.agent, {})
    tokens: list[Json] = [] if asked.unknown or asked.token else entry.get("tokens", [])
    for token in tokens:
        if "expires" not in token or unix_seconds(token["expires"]) > asked.at:
            return ActingCaller(_bearer(token["sha256"], asked), f"with the token that {token['holder']} holds")
    for identity in _fitting(asked, entry):
        return ActingCaller(_identified(identity, asked), f"with a JWT of {identity['issuer']}")
    if entry.get("anonymous", False):
        return ActingCaller(ANONYMOUS, "without a credential, as the anonymous agent")
    digest = hashlib.sha256(f"asked for {asked.agent}".encode()).hexdigest()
    credential = {digest: {"agent": asked.agent, "holder": "", "expires": None}}
    return ActingCaller(
        _bearer(digest, asked), "with a token made up for this question (the agent has none)", credential
    )


def _fitting(asked: StatedQuestion, entry: Json) -> list[Json]:
    """The identities of an agent that what is stated of the token does not contradict."""
    stated = {field: text for field, text in asked.token.items() if field != "claims"}
    return [
        each
        for each in entry.get("identities", [])
        if all(each.get(field, text) == text for field, text in stated.items())
    ]


def _bearer(digest: str, asked: StatedQuestion) -> Principal:
    return Principal(kind="service", method="token", groups=list(asked.groups), credential_sha256=digest)


def _identified(identity: Json, asked: StatedQuestion) -> Principal:
    group = [identity["group"]] if "group" in identity else []
    filled: dict[ClaimField, Any] = {
        "subject": asked.token.get("subject", identity.get("subject", _SOMEBODY)),
        "client_id": asked.token.get("client_id", identity.get("client_id", _SOMEBODY)),
        "groups": [*group, *asked.groups],
    }
    return Principal(
        kind="user" if "subject" in {**identity, **asked.token} or "client_id" not in identity else "service",
        method="jwt",
        issuer=identity["issuer"],
        unknown=list(asked.unknown),
        claims=dict(asked.token.get("claims", {})),
        **{field: value for field, value in filled.items() if field not in asked.unknown},
    )


def contradiction(asked: StatedQuestion, agents: Mapping[str, Json]) -> str:
    """Why the question contradicts itself; empty where it does not."""
    if asked.groups and "groups" in asked.unknown:
        return "has `groups`, and says that they are unknown"
    if both := {*asked.unknown} & asked.token.keys():
        return f"states `{min(both)}`, and says that it is unknown"
    if uncarried := UNCARRIED & asked.token.get("claims", {}).keys():
        return f"has the claim `{min(uncarried)}`, which a gateway does not carry among claims"
    entry = agents.get(asked.agent, {})
    if asked.token and not _fitting(asked, entry):
        return f"says what a JWT says, and no identity of the agent `{asked.agent}` fits it"
    if asked.unknown and not entry.get("identities"):
        return f"has unknown claims, and the agent `{asked.agent}` has no identity of a JWT"
    return ""


def pin_of(asked: StatedQuestion, data: Json) -> Json | None:
    """The pin of the target that the catalog lists; None where it lists none, or without one."""
    targets = data["catalog"]["targets"].get(asked.server, {})
    target, kinds = asked.target, {"tool": "tools", "prompt": "prompts", "resource": "resources"}
    found = targets.get(kinds.get(target.type, ""), {}).get(target.name or target.uri)
    if found is None and target.uri is not None:
        prefixes = targets.get("resource_prefixes", [])
        found = next((each for each in prefixes if target.uri.startswith(each["prefix"])), None)
    return None if found is None else found["pin"]


def _definition(asked: StatedQuestion, data: Json) -> Definition:
    pin = pin_of(asked, data)
    if pin is None:
        return Definition(sha256=_other("unpinned"), parts={}, annotations={})
    parts: dict[str, str] = dict(pin["parts"])
    for drifted in asked.drifted:
        _drift(parts, drifted)
    return Definition(sha256=_other(pin["sha256"]) if asked.drifted else pin["sha256"], parts=parts, annotations={})


def _drift(parts: dict[str, str], drifted: DriftClass) -> None:
    """Change the parts so that they differ from the pin in this class."""
    if drifted == "removed":
        parts.pop(next(iter(sorted(parts)), ""), None)
    elif drifted == "added":
        absent = next(name for name in ("title", "icons", "outputSchema", "annotations", "_meta") if name not in parts)
        parts[absent] = _other(absent)
    else:
        pinned = [name for name in sorted(parts, reverse=True) if PARTS.get(name) == drifted]
        for name in pinned[:1]:
            parts[name] = _other(parts[name])


def _other(digest: str) -> str:
    return hashlib.sha256(f"other than {digest}".encode()).hexdigest()


def at_now() -> float:
    """Now, in Unix seconds, cut to the minute as list questions are."""
    return float(int(datetime.now(UTC).timestamp()) // 60 * 60)
