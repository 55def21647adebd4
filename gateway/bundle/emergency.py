"""The emergency bundle: stops that can only refuse, in a bundle of their own (root `emergency`, own key and scope).

Rule 1: it holds no policy, only a document of stops; no rule can be written in it, so it can allow nothing.
Rule 2: every stop that is made here ends by itself, within a day. One that another maker signed ends when it says:
what tells its length is `at`, words for people, cut to the millisecond here and anything elsewhere, and a bound that is
read from words could end a stop while it is needed. Gateways tell of it instead (event `policy_stop_overlong`).
"""

import re
from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct, to_builtins

from gateway.bundle.manifest import Metadata
from gateway.bundle.pack import Packed, canonical, pack
from gateway.bundle.signing import SigningKey
from gateway.bundle.verifying import EMERGENCY

SCHEMA: Final = "mcp.emergency/v1"
ROOT: Final = "emergency"
ENVIRONMENT: Final = "emergency"
"""The name before the `@` of an emergency revision, where a policy revision has its environment."""
LONGEST_S: Final = 86_400
NOBODY: Final = ""
_NS: Final = 1_000_000_000

Kind = Literal["agent", "principal", "server", "target"]
_NAMES: Final = {
    "agent": re.compile(r"[a-z0-9][a-z0-9._-]{0,62}"),
    "server": re.compile(r"[a-z0-9][a-z0-9._-]{0,62}"),
    "principal": re.compile(r"\S{1,512}"),
    "target": re.compile(r"[a-z0-9][a-z0-9._-]{0,62}/\S{1,1024}"),
}


class Stop(Struct, frozen=True, kw_only=True):
    """One thing that is refused until `until_unix_ns`.

    Its name is an agent's id, a principal's subject (`<issuer>#<subject>` where it is one issuer's), a server's id, or
    `<server>/<tool, prompt or URI>`.
    """

    id: str
    kind: Kind
    name: str
    until_unix_ns: int
    because: str
    by: str
    at: str
    """When it was made, RFC 3339."""


def fault(stop: Stop, unix_ns: int) -> str:
    """Why this may not be a stop made at `unix_ns`; empty where it may."""
    if not named(stop):
        return f"{stop.name!r} names no {stop.kind}" + (" (<server>/<name>)" if stop.kind == "target" else "")
    if not stop.because.strip():
        return "it says no reason: people will want to know why"
    if stop.until_unix_ns <= unix_ns:
        return "it ends before it begins"
    if stop.until_unix_ns - unix_ns > LONGEST_S * _NS:
        return "it is longer than 24 hours: what should last is a rule"
    return ""


def named(stop: Stop) -> bool:
    """True where the name is one that a thing of the stop's kind can have."""
    return _NAMES[stop.kind].fullmatch(stop.name) is not None


def document(stops: Sequence[Stop]) -> dict[str, Any]:
    """The data of the bundle; each kind is indexed by name, so that a decision costs the same whatever is stopped.

    Under the empty name, which nothing bears, each kind has no stop: policy sees by it that the kind is there.
    """
    by_kind: dict[str, dict[str, list[Any]]] = {kind: {NOBODY: []} for kind in _NAMES}
    for stop in sorted(stops, key=lambda stop: stop.id):
        by_kind[stop.kind].setdefault(stop.name, []).append(to_builtins(stop))
    return {ROOT: {"schema": SCHEMA, **by_kind}}


def emergency_bundle(stops: Sequence[Stop], seq: int, key: SigningKey) -> Packed:
    """The signed bundle of these stops."""
    files = {"data.json": canonical(document(stops))}
    metadata = Metadata(environment=ENVIRONMENT, seq=seq)
    return pack(files, metadata, key=key, roots=(ROOT,), scope=EMERGENCY)
