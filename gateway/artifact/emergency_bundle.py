"""The emergency bundle: stops that can only refuse, in a bundle of their own (root `emergency`, own key and scope).

Rule 1: it holds no policy, only a document of stops; no rule can be written in it, so it can allow nothing.
Rule 2: a message is refused if all selectors of a stop match it. A document keeps the form of the first schema as long
as an earlier library refuses no less by it; else it has a form that makes such a library stop everything.
Rule 3: every stop that is made here ends by itself, within a day. One that another maker signed ends when it says:
what tells its length is `at`, words for people, cut to the millisecond here and anything elsewhere, and a bound that is
read from words could end a stop while it is needed. Gateways log the event `policy_stop_duration_exceeded` instead.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct, to_builtins

from gateway.admission.uri_patterns import normal_key
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import Packed, canonical, pack
from gateway.artifact.signature_checks import EMERGENCY
from gateway.artifact.signing import SigningKey

SCHEMA: Final = "mcp.emergency/v1"
EXTENDED: Final = "mcp.emergency/v2"
"""The schema of a document with one of the newer kinds: an earlier library does not know it, and stops everything."""
ROOT: Final = "emergency"
ENVIRONMENT: Final = "emergency"
"""The name before the `@` of an emergency revision, where a policy revision has its environment."""
LONGEST_S: Final = 86_400
NOBODY: Final = ""
_NS: Final = 1_000_000_000

Kind = Literal["agent", "principal", "server", "target", "session", "group", "label", "kind", "tag", "action"]
"""What a stop selects by; `kind` and `label` are an agent's, `tag` is a server's."""
FIRST: Final[tuple[Kind, ...]] = ("target", "agent", "principal", "server")
"""The kinds of the first schema, the narrowest first."""
NEWER: Final[tuple[Kind, ...]] = ("session", "group", "label", "kind", "tag", "action")
KINDS: Final[tuple[Kind, ...]] = (*FIRST, *NEWER)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_WORD: Final = re.compile(r"\S{1,512}")
_NAMES: Final[dict[Kind, re.Pattern[str]]] = {
    "agent": _ID,
    "principal": _WORD,
    "server": _ID,
    "target": re.compile(r"[a-z0-9][a-z0-9._-]{0,62}/\S{1,1024}"),
    "session": re.compile(r"[0-9a-f]{32}"),
    "group": _WORD,
    "label": re.compile(r"\S{1,128}"),
    "kind": re.compile(r"\S{1,128}"),
    "tag": re.compile(r"\S{1,128}"),
    "action": re.compile(r"read|write|delete|send|execute|list"),
}
_SHAPES: Final[dict[Kind, str]] = {
    "target": " (<server>/<name>)",
    "session": " (its digest of 32 hexadecimal digits, as `session` in the journal)",
    "action": " (read, write, delete, send, execute or list)",
}


class Stop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is refused until `until_unix_ns`: the messages that `kind` and `name`, and all of `also`, select.

    The name of a principal or a group is `<issuer>#<name>` to select those of one issuer; that of a target is
    `<server>/<tool, prompt or URI>`. An earlier gateway or library does not read `also`, and refuses more.
    """

    id: str
    kind: Kind
    name: str
    until_unix_ns: int
    because: str
    by: str
    at: str
    """When it was made, RFC 3339."""
    also: dict[Kind, str] = {}
    """Selectors that have to match as well."""


def selectors(stop: Stop) -> dict[Kind, str]:
    """Return everything that a message must match to be refused, in a fixed order."""
    chosen: dict[Kind, str] = {stop.kind: stop.name, **stop.also}
    return {kind: chosen[kind] for kind in KINDS if kind in chosen}


def selected(stop: Stop) -> str:
    """Return the selectors of a stop as people read them."""
    return ", ".join(f"{kind} {name}" for kind, name in selectors(stop).items())


def indexed(chosen: Mapping[Kind, str]) -> tuple[Kind, str, dict[Kind, str]]:
    """Return by which of these selectors a stop is found, and those that have to match as well.

    It is one of the first schema if there is any: a gateway or library that knows no other refuses more, never less.
    """
    kind: Kind = next(each for each in KINDS if each in chosen)
    return kind, chosen[kind], {other: chosen[other] for other in KINDS if other in chosen and other != kind}


def fault(stop: Stop, unix_ns: int) -> str:
    """Why this may not be a stop made at `unix_ns`; empty where it may."""
    wrong: Kind | None = next(
        (kind for kind, name in selectors(stop).items() if not _NAMES[kind].fullmatch(name)), None
    )
    if wrong is not None:
        return f"{selectors(stop)[wrong]!r} names no {wrong}{_SHAPES.get(wrong, '')}"
    if stop.kind in stop.also:
        return f"it selects by {stop.kind} twice"
    if not stop.because.strip():
        return "it says no reason: people will want to know why"
    if stop.until_unix_ns <= unix_ns:
        return "it ends before it begins"
    if stop.until_unix_ns - unix_ns > LONGEST_S * _NS:
        return "it is longer than 24 hours: what should last is a rule"
    return ""


def named(stop: Stop) -> bool:
    """Return whether each name is one that a thing of its kind can have."""
    return all(_NAMES[kind].fullmatch(name) for kind, name in selectors(stop).items()) and stop.kind not in stop.also


def is_extended(stop: Stop) -> bool:
    """Return whether an earlier library cannot enforce the stop as it is."""
    return bool(stop.also) or stop.kind in NEWER


def document(stops: Sequence[Stop]) -> dict[str, Any]:
    """The data of the bundle; each kind is indexed by name, so that a decision costs the same whatever is stopped.

    Under the empty name, which nothing has, each kind has no stop: policy sees by it that the kind is there. The newer
    kinds are there only if something is stopped by one of them.
    """
    extended = any(stop.kind in NEWER for stop in stops)
    kinds = KINDS if extended else FIRST
    by_kind: dict[Kind, dict[str, list[Any]]] = {kind: {NOBODY: []} for kind in kinds}
    for stop in sorted(stops, key=lambda stop: stop.id):
        for name in _asked(stop):
            by_kind[stop.kind].setdefault(name, []).append(to_builtins(stop))
    return {ROOT: {"schema": EXTENDED if extended else SCHEMA, **by_kind}}


def _asked(stop: Stop) -> tuple[str, ...]:
    """Return the names under which a stop is found: a URI is asked about in its normal form, whatever people wrote."""
    server, slash, name = stop.name.partition("/")
    normal = f"{server}{slash}{normal_key(name)}" if stop.kind == "target" and ":" in name else stop.name
    return tuple(dict.fromkeys((stop.name, normal)))


def emergency_bundle(stops: Sequence[Stop], seq: int, key: SigningKey) -> Packed:
    """The signed bundle of these stops."""
    files = {"data.json": canonical(document(stops))}
    metadata = BundleMetadata(environment=ENVIRONMENT, seq=seq)
    return pack(files, metadata, key=key, roots=(ROOT,), scope=EMERGENCY)
