"""Proposed changes of the policy's data: rules, catalog and registrations.

Rule 1: if the message was refused, the proposals allow more; if it was allowed, they allow less.
Rule 2: no mode is proposed for the requirements that always bind.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from gateway.admission.question import moment
from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.cross_checks import ALWAYS_DENY
from gateway.review.whatif.patched_world import WorldChange, off_data, on_data
from gateway.review.whatif.question_context import WhatIfCase

_ACTIONS: Final = ("read", "list", "write", "send", "delete", "execute")
MODE: Final = 6
"""The size of an enforcement mode, which allows more than this message."""
_DAY_NS: Final = 86_400 * 1_000_000_000
_WIDENED: Final = ("servers", "actions", "tools", "resources", "prompts")


def loosening(scene: WhatIfCase) -> Iterator[WorldChange]:
    """Yield the data changes that may allow the message."""
    yield from _removed(scene, ("deny", "hold"))
    for name, rule, misfits in scene.rules("allow"):
        yield from _widened(scene, name, rule, misfits)
        yield from _in_force(name, rule)
    yield from _listed(scene)
    yield from _registered(scene)
    yield from _relaxed(scene)


def tightening(scene: WhatIfCase) -> Iterator[WorldChange]:
    """Yield the data changes that may refuse the message."""
    yield from _removed(scene, ("allow",))
    if scene.entry is not None:
        text = f"remove {scene.target} of {scene.server} from the catalog"
        yield WorldChange(
            text=text, size=4, apply=off_data("catalog", "targets", scene.server, scene.field, scene.target)
        )
    for name, rule, _ in (*scene.rules("deny"), *scene.rules("hold")):
        yield from _in_force(name, rule)
    for name in sorted(scene.world.data["enforcement"]):
        yield WorldChange(text=f"enforce {name}", size=3, apply=off_data("enforcement", name))


def _removed(scene: WhatIfCase, effects: Sequence[str]) -> Iterator[WorldChange]:
    for ground in scene.decision.grounds:
        if ground.effect in effects and ground.rule in scene.world.data["rules"]:
            yield WorldChange(text=f"remove rule {ground.rule}", size=4, apply=off_data("rules", ground.rule))


def _widened(scene: WhatIfCase, name: str, rule: Json, misfits: Sequence[tuple[str, str]]) -> Iterator[WorldChange]:
    for side, field in misfits:
        names = scene.names(field) if side == "who" else scene.words(field) if field in _WIDENED else []
        if names and names != ["unknown"]:
            to = [*rule[side][field], names[0]]
            text = f"add {names[0]} to {side}.{field} of rule {name}"
            yield WorldChange(text=text, size=3, apply=on_data("rules", name, side, field, to=to))


def _in_force(name: str, rule: Json) -> Iterator[WorldChange]:
    if rule["mode"] is not None:
        yield WorldChange(
            text=f"enforce rule {name} (remove its mode)", size=3, apply=on_data("rules", name, "mode", to=None)
        )
    if rule["expires"] is not None:
        yield WorldChange(
            text=f"remove the expiry of rule {name}", size=3, apply=on_data("rules", name, "expires", to=None)
        )


def _listed(scene: WhatIfCase) -> Iterator[WorldChange]:
    if not scene.target or scene.server not in scene.world.data["catalog"]["servers"]:
        return
    place = ("catalog", "targets", scene.server, scene.field, scene.target)
    entry = scene.entry
    if entry is None or entry.get("action") not in _ACTIONS:
        for action in _ACTIONS:
            text = f"list {scene.target} of {scene.server} in the catalog with the action {action}"
            stated = {**(entry or _unlisted(scene)), "action": action}
            yield WorldChange(text=text, size=3, apply=on_data(*place, to=stated))
    elif scene.world.question.get("definition") and scene.decision.resolved.pin in {"drift", "unpinned"}:
        definition: Json = scene.world.question["definition"]
        old: Json = entry["pin"] or {}
        pin = {**old, "sha256": definition["sha256"], "parts": definition["parts"]}
        text = f"pin the presented definition of {scene.target} of {scene.server}"
        yield WorldChange(text=text, size=3, apply=on_data(*place, "pin", to=pin))


def _unlisted(scene: WhatIfCase) -> Json:
    """Return an entry for a target that the catalog does not list: it inherits from its server."""
    server: Json = scene.world.data["catalog"]["servers"][scene.server]
    return {"tags": [], "pin": None, **{field: server[field] for field in ("data", "reach") if field in server}}


def _registered(scene: WhatIfCase) -> Iterator[WorldChange]:
    digest = scene.world.question["principal"].get("credential_sha256")
    credential = scene.world.data["index"].get("credentials", {}).get(digest)
    if credential and credential["expires"] is not None:
        change = on_data("index", "credentials", digest, "expires", to=None)
        yield WorldChange(text=f"renew the token of agent {credential['agent']}", size=3, apply=change)
    if not scene.agent:
        return
    agent, scope = scene.agent_id, scene.agent["scope"]
    if scene.agent["expires"] is not None:
        yield WorldChange(text=f"renew agent {agent}", size=3, apply=on_data("agents", agent, "expires", to=None))
    for field, word in (("servers", scene.server), ("actions", scene.decision.resolved.action)):
        if "*" not in scope[field] and word not in scope[field] and word != "unknown":
            change = on_data("agents", agent, "scope", field, to=[*scope[field], word])
            yield WorldChange(text=f"add {word} to scope.{field} of agent {agent}", size=3, apply=change)
    cleared: list[str] = scene.agent.get("clearance", [])
    lacking = [name for name in scene.decision.resolved.data or () if name not in cleared]
    if lacking:
        change = on_data("agents", agent, "clearance", to=[*cleared, *lacking])
        yield WorldChange(text=f"clear agent {agent} for data of class {', '.join(lacking)}", size=3, apply=change)


def _relaxed(scene: WhatIfCase) -> Iterator[WorldChange]:
    end = int(scene.world.question["context"]["time"]["unix_ns"]) + _DAY_NS
    entry: Json = {
        "mode": "warn",
        "owner": "explain",
        "reason": "asked by explain",
        "expires": msgspec.to_builtins(moment(end))["rfc3339"],
    }
    for name in sorted(scene.unmet - ALWAYS_DENY):
        yield WorldChange(
            text=f"set {name} to warn (enforcement)", size=MODE, apply=on_data("enforcement", name, to=entry)
        )
