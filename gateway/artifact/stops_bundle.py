"""The emergency bundle: stops, which can only refuse, in a separate bundle (root `emergency`, separate key and scope).

Rule 1: it has no policy, only a document of stops. It cannot contain rules, so it cannot allow anything.
Rule 2: a message is refused if all selectors of a stop match it. A document keeps the first schema as long as an
earlier library refuses at least as much with it. Otherwise its schema makes such a library stop everything.
Rule 3: every stop made here ends by itself within a day. A stop that another program signed ends at its own end time:
its length follows only from `at`, a text for people, which has milliseconds here and can be anything elsewhere. A limit
computed from that text could end a stop that is still needed. Gateways log `policy_stop_duration_exceeded` instead.
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
"""The schema of a document with one of the newer kinds: an earlier library does not know it and stops everything."""
ROOT: Final = "emergency"
ENVIRONMENT: Final = "emergency"
"""The name before the `@` of an emergency revision. A policy revision has its environment there."""
LONGEST_S: Final = 86_400
NOBODY: Final = ""
_NS: Final = 1_000_000_000

Kind = Literal["agent", "principal", "server", "target", "session", "group", "label", "kind", "tag", "action"]
"""The kinds of selectors of a stop; `kind` and `label` are those of an agent, `tag` is that of a server."""
FIRST: Final[tuple[Kind, ...]] = ("target", "agent", "principal", "server")
"""The kinds of the first schema, narrowest first."""
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
    "session": " (its digest of 32 hexadecimal digits: `session` in the journal)",
    "action": " (read, write, delete, send, execute or list)",
}


class Stop(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A refusal of messages until `until_unix_ns`: of those that match `kind` and `name`, and all of `also`.

    The name of a principal or a group is `<issuer>#<name>` to select those of one issuer. The name of a target is
    `<server>/<tool, prompt or URI>`. An earlier gateway or library does not read `also`, and refuses more.
    """

    id: str
    kind: Kind
    name: str
    until_unix_ns: int
    because: str
    by: str
    at: str
    """The time at which the stop was made, RFC 3339."""
    also: dict[Kind, str] = {}
    """Additional selectors that must also match."""


def selectors(stop: Stop) -> dict[Kind, str]:
    """Return everything that a message must match to be refused, in a fixed order."""
    chosen: dict[Kind, str] = {stop.kind: stop.name, **stop.also}
    return {kind: chosen[kind] for kind in KINDS if kind in chosen}


def selected(stop: Stop) -> str:
    """Return the selectors of a stop as a text for people."""
    return ", ".join(f"{kind} {name}" for kind, name in selectors(stop).items())


def indexed(chosen: Mapping[Kind, str]) -> tuple[Kind, str, dict[Kind, str]]:
    """Return the kind and name of the selector that indexes a stop, and the selectors that must also match.

    The index selector is one of the first schema if possible: a gateway or library that knows only that schema refuses
    more, never less.
    """
    kind: Kind = next(each for each in KINDS if each in chosen)
    return kind, chosen[kind], {other: chosen[other] for other in KINDS if other in chosen and other != kind}


def fault(stop: Stop, unix_ns: int) -> str:
    """Return why this stop may not be made at `unix_ns`, or an empty text if it may."""
    wrong: Kind | None = next(
        (kind for kind, name in selectors(stop).items() if not _NAMES[kind].fullmatch(name)), None
    )
    if wrong is not None:
        return f"{selectors(stop)[wrong]!r} is not a valid {wrong}{_SHAPES.get(wrong, '')}"
    if stop.kind in stop.also:
        return f"the stop selects by {stop.kind} twice"
    if not stop.because.strip():
        return "the stop has no reason: write one, refusals show it"
    if stop.until_unix_ns <= unix_ns:
        return "the stop ends before it begins"
    if stop.until_unix_ns - unix_ns > LONGEST_S * _NS:
        return "the stop is longer than 24 hours: for a permanent block, write a rule"
    return ""


def named(stop: Stop) -> bool:
    """Return whether each name is valid for its kind."""
    return all(_NAMES[kind].fullmatch(name) for kind, name in selectors(stop).items()) and stop.kind not in stop.also


def is_extended(stop: Stop) -> bool:
    """Return whether an earlier library cannot enforce the stop unchanged."""
    return bool(stop.also) or stop.kind in NEWER


def document(stops: Sequence[Stop]) -> dict[str, Any]:
    """Return the data of the bundle; each kind is indexed by name, so a decision costs the same with any stops.

    Each kind has an empty list under the empty name, which is never in use, to show policy that the kind is present.
    The newer kinds are present only if a stop uses one of them.
    """
    extended = any(stop.kind in NEWER for stop in stops)
    kinds = KINDS if extended else FIRST
    by_kind: dict[Kind, dict[str, list[Any]]] = {kind: {NOBODY: []} for kind in kinds}
    for stop in sorted(stops, key=lambda stop: stop.id):
        for name in _asked(stop):
            by_kind[stop.kind].setdefault(name, []).append(to_builtins(stop))
    return {ROOT: {"schema": EXTENDED if extended else SCHEMA, **by_kind}}


def _asked(stop: Stop) -> tuple[str, ...]:
    """Return the names that index a stop: a URI is also indexed in its normal form, which is what policy looks up."""
    server, slash, name = stop.name.partition("/")
    normal = f"{server}{slash}{normal_key(name)}" if stop.kind == "target" and ":" in name else stop.name
    return tuple(dict.fromkeys((stop.name, normal)))


def emergency_bundle(stops: Sequence[Stop], seq: int, key: SigningKey) -> Packed:
    """Return the signed bundle of these stops."""
    files = {"data.json": canonical(document(stops))}
    metadata = BundleMetadata(environment=ENVIRONMENT, seq=seq)
    return pack(files, metadata, key=key, roots=(ROOT,), scope=EMERGENCY)
