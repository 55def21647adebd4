"""Turn the words of `ask` and of scenarios into a question in the form that the gateway uses.

Rule 1: the input has the gateway's own types, so OPA gets only input that the gateway could also send.
Rule 2: the caller uses one of the agent's own credentials. An agent without one gets a credential for this question
only, and the answer says so.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.admission.caller_address import plain_address
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
from gateway.artifact.json_narrowing import Json
from gateway.policy.sources.timestamps import unix_seconds
from gateway.protocol.methods import METHODS

_NS: Final = 1_000_000_000
_UNSEEN: Final = "unseen"
_SOMEBODY: Final = "-"
"""The subject or client of a token whose identity does not state it."""


class StatedQuestion(Struct, frozen=True, kw_only=True):
    """The agent, target, method and time (Unix seconds) of a question; `drifted` are the definition's drift classes."""

    agent: str
    server: str
    target: Target
    method: str
    at: float
    arguments: Mapping[str, Any] = {}
    groups: tuple[str, ...] = ()
    unknown: tuple[ClaimField, ...] = ()
    """Fields of the principal whose claims cannot be read."""
    token: Mapping[str, Any] = {}
    """The content of the caller's JWT: `issuer`, `subject`, `client_id`, `claims`."""
    source_ip: str = "127.0.0.1"
    seen: bool = True
    drifted: tuple[DriftClass, ...] = ()


class ActingCaller(Struct, frozen=True):
    """A principal that acts as the agent, how it was chosen, and its credentials in addition to the bundle's."""

    principal: Principal
    how: str
    credentials: Mapping[str, Any] = {}


def asked(entry: Mapping[str, Any], *, now: float) -> StatedQuestion:
    """Return the question of a scenario, or of a command line in the same words."""
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
    """Return the policy input, with the definition that follows from the catalog's pin."""
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
    """Return the newest revision that has the method, and its era."""
    known = sorted({revision for row in METHODS if row.name == method for revision in row.revisions})
    newest = known[-1] if known else "2026-07-28"
    return newest, "modern" if newest >= "2026" else "legacy"


def acting(asked: StatedQuestion, agents: Mapping[str, Json]) -> ActingCaller:
    """Return the principal: an unexpired token of the agent, an identity, none, or a token for this question.

    If claims are stated or unknown, it is an identity that matches them, because only JWTs have claims.
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
    """Return the identities of an agent that do not contradict the stated token."""
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
    """Return why the question contradicts itself; empty if it does not."""
    if asked.groups and "groups" in asked.unknown:
        return "has `groups`, but also lists them as unknown"
    if both := {*asked.unknown} & asked.token.keys():
        return f"states `{min(both)}`, but also lists it as unknown"
    if uncarried := UNCARRIED & asked.token.get("claims", {}).keys():
        return f"has the claim `{min(uncarried)}`, which the gateway does not pass to policies as a claim"
    entry = agents.get(asked.agent, {})
    if asked.token and not _fitting(asked, entry):
        return f"states a JWT, but no identity of the agent `{asked.agent}` matches it"
    if asked.unknown and not entry.get("identities"):
        return f"has unknown claims, but the agent `{asked.agent}` has no JWT identity"
    return ""


def pin_of(asked: StatedQuestion, data: Json) -> Json | None:
    """Return the pin of the target in the catalog; None if the target is not listed or not pinned."""
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
