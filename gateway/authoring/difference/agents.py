"""Changes of the agents: their scope, their expiry and their credentials.

Rule 1: an additional way to act as an agent is looser. Changes of labels, kind and owner are unclear, because rules can
refer to them.
"""

from collections.abc import Iterator
from typing import Final

from gateway.artifact.json_narrowing import Json
from gateway.authoring.difference.change import (
    Change,
    Effect,
    Told,
    became,
    gained,
    listed,
    paired,
    prolonged,
)
from gateway.policy.golden import registered

_WORDS: Final = frozenset({"purpose"})
_SCOPES: Final = {"servers": "server", "actions": "action"}


def agent_changes(old: Json, new: Json) -> Iterator[Change]:
    """Yield the changes of the registered agents from one bundle's data to another's."""
    for name, before, after in paired(registered(old), registered(new)):
        for what, effect in _agent(before, after):
            yield Change(about="agent", name=name, what=what, effect=effect)


def _agent(old: Json | None, new: Json | None) -> Told:
    if old is None or new is None:
        agent = new or old or {}
        nobody = ", for callers without a credential" if agent.get("anonymous") else ""
        said = f"{agent['kind']}, owner {agent['owner']}{nobody}"
        yield (f"is new: {said}", "looser") if old is None else (f"is removed: {said}", "stricter")
        return
    for field, before, after in paired(old, new):
        match field:
            case "scope":
                yield from _scope(before, after)
            case "clearance":
                said = {"more": "is now cleared for data of class", "fewer": "is no longer cleared for data of class"}
                yield from gained(before or [], after or [], **said, wider="looser")
            case "expires":
                yield became("expiry", before, after), _end(before, after)
            case "tokens":
                yield from _tokens(before, after)
            case "identities":
                yield from _identities(before, after)
            case "anonymous":
                said = "is now" if after else "is no longer"
                yield f"{said} the agent of callers without a credential", "looser" if after else "stricter"
            case _:
                yield became(field, before, after), "same" if field in _WORDS else "unclear"


def _end(old: str | None, new: str | None) -> Effect:
    further = prolonged(old, new)
    return "unclear" if further is None else "looser" if further else "stricter"


def _scope(old: Json, new: Json) -> Told:
    for field, before, after in paired(old, new):
        noun = _SCOPES.get(field, field)
        said = {"more": f"may now use {noun}", "fewer": f"may no longer use {noun}"}
        yield from gained(before or [], after or [], **said, wider="looser")


def _tokens(old: list[Json], new: list[Json]) -> Told:
    before, after = ({each["sha256"]: each for each in tokens} for tokens in (old, new))
    for digest, was, now in paired(before, after):
        token = f"the token {digest[:12]} of {(now or was)['holder']}"
        if was is None:
            yield f"now has {token}", "looser"
        elif now is None:
            yield f"no longer has {token}", "stricter"
        else:
            ends = (was.get("expires"), now.get("expires"))
            moved = (
                [f", which now expires {ends[1] or 'never'}, not {ends[0] or 'never'}"] if ends[0] != ends[1] else []
            )
            yield f"has {token}{''.join(moved)}", _end(*ends) if moved else "same"


def _identities(old: list[Json], new: list[Json]) -> Told:
    before, after = ([_identity(each) for each in identities] for identities in (old, new))
    yield from gained(before, after, more="is now also", fewer="is no longer", wider="looser")


def _identity(identity: Json) -> str:
    named = [f"{kind} {text}" for kind, text in identity.items() if kind != "issuer"]
    return f"{listed(named)} at {identity['issuer']}"
