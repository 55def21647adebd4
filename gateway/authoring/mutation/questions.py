"""Questions derived from the data of a policy: all known principals and listed targets, and unknown ones.

Rule 1: the same data gives the same questions; none of them depends on the tested Rego.
Rule 2: the questions are many and small, because every mutant that no test detects must answer them.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import to_builtins

from gateway.admission.policy_input import AskedMessage, Client, Context, Gateway, PolicyInput, Server, Target
from gateway.admission.principal import ANONYMOUS, Principal
from gateway.admission.question import measured, moment
from gateway.artifact.json_narrowing import Json, objects
from gateway.policy.rules.identity_index import indexed_identities

MOMENT: Final = 1_795_183_200
"""Friday, 2026-11-20, 14:00 UTC, in Unix seconds."""
_NS: Final = 1_000_000_000
_STRANGER: Final = "f" * 64
_NAMED: Final = (
    ("tool", "tools", "tools/call"),
    ("prompt", "prompts", "prompts/get"),
    ("resource", "resources", "resources/read"),
)
_WITHOUT_TARGET: Final = ("tools/list", "initialize", "stream/open")
_OF_SERVERS: Final = ("sampling/createMessage", "roots/list")
_READS: Final = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False}
_ARGUMENTS: Final[tuple[Json, ...]] = (
    {},
    {"path": "a/b", "channel": "general", "limit": 5, "to": ["a@example.com", "b"], "url": "https://a.example.com/"},
)


def questions(data: Json) -> list[Json]:
    """Return the questions for the policy with this data, in the form of OPA's input."""
    asking, touching = principals(data), list(_touching(data))
    return [_asked(principal, *touched) for principal, touched in itertools.product(asking, touching)]


def principals(data: Json) -> list[Principal]:
    """Return all principals that the data knows, and unknown ones."""
    index = data["index"]
    found = [Principal(kind="service", method="token", credential_sha256=each) for each in index["credentials"]]
    for _, identity in indexed_identities(index["identities"]):
        stated = {field: text for field, text in identity.items() if field != "group"}
        found.append(_identified(**stated, groups=[identity["group"]] if "group" in identity else []))
        if "group" in identity:
            found.append(_identified(**stated, unknown=["groups"]))
    stranger = Principal(kind="service", method="token", credential_sha256=_STRANGER)
    return [*found, ANONYMOUS, _identified("https://strange.example", subject="x"), stranger]


def _identified(issuer: str, **more: Any) -> Principal:
    more.setdefault("subject", "unknown subject")
    return Principal(kind="user", method="jwt", issuer=issuer, **more)


Touched = tuple[str, str, Target, Json | None, Json]
"""Method, server, target, definition, arguments."""


def _touching(data: Json) -> Iterator[Touched]:
    for server, targets in data["catalog"]["targets"].items():
        for kind, listed, method in _NAMED:
            unlisted = "strange://x" if kind == "resource" else "strange"
            known = {**targets.get(listed, {}), **_prefixed(targets, kind), unlisted: {"pin": None}}
            for number, (name, entry) in enumerate(known.items()):
                target = Target(type=kind, **{"uri" if kind == "resource" else "name": name})  # pyright: ignore[reportArgumentType]
                yield method, server, target, _presented(entry), _ARGUMENTS[number % len(_ARGUMENTS)]
        yield from ((method, server, Target(), None, {}) for method in _WITHOUT_TARGET)
        yield from ((method, server, Target(name=method), None, {}) for method in _OF_SERVERS)
    yield "tools/call", "strange", Target(type="tool", name="strange"), None, {}


def _prefixed(targets: Json, kind: str) -> Json:
    entries = objects(targets.get("resource_prefixes")) if kind == "resource" else []
    return {f"{entry['prefix']}below": entry for entry in entries}


def _presented(entry: Mapping[str, Any]) -> Json:
    """Return the definition that matches the pin, with annotations that declare it read-only."""
    pin: Json = entry.get("pin") or {"sha256": "0" * 64, "parts": {"description": "0" * 64}}
    return {"sha256": pin["sha256"], "parts": dict(pin["parts"]), "annotations": dict(_READS)}


def _asked(principal: Principal, method: str, server: str, target: Target, *more: Any) -> Json:
    definition, arguments = more
    asked = PolicyInput(
        phase="server_request" if method in _OF_SERVERS else "request",
        message=AskedMessage(method=method, kind="request", revision="2025-11-25", era="legacy"),
        principal=principal,
        client=Client(name="mutation"),
        server=Server(id=server),
        target=target,
        context=Context(time=moment(MOMENT * _NS), source_ip="127.0.0.1", gateway=Gateway(id="mutation", version="0")),
        arguments=arguments,
        arguments_meta=measured(arguments, "match" if target.type == "tool" else "none"),
    )
    return to_builtins(asked) | {"definition": definition}
