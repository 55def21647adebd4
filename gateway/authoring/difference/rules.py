"""Changes of the rules.

Rule 1: a wider allow is looser, and a wider deny or hold is stricter; each side of a change is reported separately.
Rule 2: if the effect of a rule changed, all other changes of the rule are unclear.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.artifact.json_narrowing import Json
from gateway.authoring.difference.change import (
    OPPOSITE,
    Change,
    Effect,
    Told,
    became,
    listed,
    moved,
    paired,
    prolonged,
    shown,
)
from gateway.authoring.difference.conditions import condition_changes
from gateway.policy.rules.condition_descriptions import condition_words
from gateway.policy.rules.rule_conditions import exception_of

_NOUNS: Final[Mapping[str, str]] = {
    "agents": "agent",
    "kinds": "agents of kind",
    "labels": "agents labeled",
    "owners": "agents of the owner",
    "groups": "members of",
    "subjects": "subject",
    "client_ids": "client id",
    "source": "callers from",
    "servers": "server",
    "server_tags": "servers tagged",
    "server_environments": "servers of environment",
    "tools": "tool",
    "resources": "resource",
    "prompts": "prompt",
    "tool_tags": "targets tagged",
    "data": "data of class",
    "reach": "targets that are",
    "actions": "action",
}
_EVERY: Final[Mapping[str, str]] = {
    "agents": "every agent",
    "kinds": "agents of every kind",
    "labels": "agents with any label or none",
    "owners": "agents of every owner",
    "groups": "members of any group or none",
    "subjects": "callers of every subject or none",
    "client_ids": "callers of every client id or none",
    "source": "callers from everywhere",
    "servers": "every server",
    "server_tags": "servers with any tag or none",
    "server_environments": "servers of every environment",
    "tool_tags": "targets with any tag or none",
    "data": "data of every class",
    "reach": "internal and external targets",
    "actions": "every action",
}
_CLAIM: Final = "claim "
_TARGETS: Final = ("tools", "resources", "prompts")
"""The fields that each restrict their own kind: if one of them is stated, adding another one makes the rule wider."""
_STRICTNESS: Final = {"allow": 0, "hold": 1, "deny": 2}
_KNOWN: Final = frozenset({"effect", "who", "what", "when", "arguments", "unless", "mode", "expires"})
_WORDS: Final = frozenset({"reason", "owner", "file", "team"})
_WIDER: Final[Mapping[str, Effect]] = {"allow": "looser", "hold": "stricter", "deny": "stricter"}


def rule_changes(old: Json, new: Json) -> Iterator[Change]:
    """Yield the changes from the rules of one bundle to those of another."""
    for name, before, after in paired(old, new):
        changed: Json = after or before
        team = str(changed.get("team", ""))
        for what, effect in _told(before, after):
            yield Change(about="rule", name=name, what=what, effect=effect, team=team)
    moved = sum(old[name].get("line") != new[name].get("line") for name in old.keys() & new.keys())
    if moved:
        yield Change(about="rule", name="", what=f"lines: {moved} rules moved to other lines", effect="same")


def _told(old: Json | None, new: Json | None) -> Told:
    if old is None or new is None:
        rule = new or old or {}
        said = f"{'is new' if old is None else 'is removed'}: {_summary(rule)}"
        is_new = old is None
        yield said, _wider(rule) if is_new else OPPOSITE[_wider(rule)]
        return
    changed = old["effect"] != new["effect"]
    if changed:
        looser = _STRICTNESS.get(new["effect"], -1) < _STRICTNESS.get(old["effect"], 3)
        yield f"is now {new['effect']}, not {old['effect']}", "looser" if looser else "stricter"
    for what, wider in _extents(old, new):
        effect = _wider(new) if wider else OPPOSITE[_wider(new)]
        yield what, "unclear" if changed or wider is None else effect
    yield from _modes(old, new)
    for field, before, after in paired(old, new):
        if field not in _KNOWN | {"line", "rule"}:
            yield became(field, before, after), "same" if field in _WORDS else "unclear"


def _wider(rule: Json) -> Effect:
    """Return the effect if a rule becomes wider; an allow with a mode never permits."""
    return "same" if rule["effect"] == "allow" and rule["mode"] else _WIDER.get(rule["effect"], "unclear")


def _summary(rule: Json) -> str:
    mode = f" ({rule['mode']} only)" if rule["mode"] else ""
    unless = f", unless {', '.join(_parts(rule['unless']))}" if rule.get("unless") else ""
    return f"{rule['effect']}{mode} for {', '.join(_parts(rule)) or 'everything'}{unless}"


def _parts(stated: Json) -> list[str]:
    """Return the texts of the selectors and conditions of a rule or of its exception."""
    fields = {**_flat(stated["who"]), **stated.get("what", {})}
    named = [f"{_noun(field)} {listed(_words(values))}" for field, values in fields.items()]
    when = [f"when {shown(stated['when'])}"] if stated["when"] else []
    return [*named, *when, *(f"if argument {condition_words(each)}" for each in stated["arguments"])]


def exception_words(rule: Json) -> str:
    """Return the callers and times of the exception of a rule; empty if it has none, or one for arguments only."""
    exception = exception_of(rule)
    return ", ".join(_parts({**exception, "arguments": []})) if exception else ""


def _flat(who: Json) -> Json:
    """Return `who` with each claim as a separate field."""
    claims = {f"{_CLAIM}{name}": [_word(value) for value in values] for name, values in who.get("claims", {}).items()}
    return {field: values for field, values in who.items() if field != "claims"} | claims


def _word(value: Any) -> str:
    return value if isinstance(value, str) else shown(value)


def _noun(field: str) -> str:
    return f"callers whose {field} is" if field.startswith(_CLAIM) else _NOUNS.get(field, field)


def _every(field: str) -> str:
    return f"callers with any {field} or none" if field.startswith(_CLAIM) else _EVERY.get(field, f"every {field}")


def _extents(old: Json, new: Json) -> Iterator[tuple[str, bool | None]]:
    """Yield the changes of the messages that the rule concerns, and whether each makes it wider."""
    yield from _fields(_flat(old["who"]), _flat(new["who"]))
    yield from _fields(old["what"], new["what"])
    yield from _targets(old["what"], new["what"])
    yield from _times(old["when"], new["when"])
    yield from condition_changes(old["arguments"], new["arguments"])
    yield from _exceptions(old.get("unless"), new.get("unless"))
    if old["mode"] is None and new["mode"] is None and old["expires"] != new["expires"]:
        yield became("expiry", old["expires"], new["expires"]), prolonged(old["expires"], new["expires"])


def _fields(old: Json, new: Json) -> Iterator[tuple[str, bool]]:
    for field, before, after in paired(old, new):
        if field in _TARGETS:
            continue
        noun = _noun(field)
        if before is None:
            yield f"now concerns only {noun} {listed(_words(after))}", False
        elif after is None:
            yield f"now concerns {_every(field)}, not only {noun} {listed(_words(before))}", True
        else:
            yield from _values(noun, _words(before), _words(after))


def _words(value: str | list[str]) -> list[str]:
    """Return the words of a field with one or several."""
    return [value] if isinstance(value, str) else value


def _targets(old: Json, new: Json) -> Iterator[tuple[str, bool]]:
    before, after = ({kind: what[kind] for kind in _TARGETS if kind in what} for what in (old, new))
    if not before and after:
        named = [f"{_NOUNS[kind]} {listed(values)}" for kind, values in after.items()]
        yield f"now concerns only {listed(named)}", False
    elif before and not after:
        named = [f"{_NOUNS[kind]} {listed(values)}" for kind, values in before.items()]
        yield f"now concerns every target, not only {listed(named)}", True
    else:
        for kind in _TARGETS:
            yield from _values(_NOUNS[kind], before.get(kind, []), after.get(kind, []))


def _values(noun: str, old: list[str], new: list[str]) -> Iterator[tuple[str, bool]]:
    more, fewer = moved(old, new)
    if more:
        yield f"now also concerns {noun} {listed(more)}", True
    if fewer:
        yield f"no longer concerns {noun} {listed(fewer)}", False


def _times(old: Json | None, new: Json | None) -> Iterator[tuple[str, bool | None]]:
    if old == new:
        return
    if old is None:
        yield f"now applies only when {shown(new)}", False
    elif new is None:
        yield f"now applies at all times, not only when {shown(old)}", True
    else:
        yield f"now applies when {shown(new)}, not when {shown(old)}", None


def _exceptions(old: Json | None, new: Json | None) -> Iterator[tuple[str, bool | None]]:
    if old == new:
        return
    before, after = (", ".join(_parts(each)) if each else "" for each in (old, new))
    if old is None:
        yield f"now has an exception: {after}", False
    elif new is None:
        yield f"no longer has an exception: {before}", True
    else:
        yield f"now has the exception: {after}, not: {before}", None


def _modes(old: Json, new: Json) -> Told:
    """Yield the change of the mode: with a mode, an allow never permits, and a deny or hold does not refuse yet."""
    before, after = (rule["mode"] and f"{rule['mode']} until {rule['expires']}" for rule in (old, new))
    if before == after:
        return
    binds: Effect = "looser" if new["effect"] == "allow" else "stricter"
    if after is None:
        ends = new["effect"] != "allow" and new["expires"] is not None
        yield became("mode", before, after), "unclear" if ends else binds
    elif before is None:
        yield became("mode", before, after), OPPOSITE[binds]
    else:
        further = prolonged(old["expires"], new["expires"])
        weaker: Effect = "unclear" if further is None else "looser" if further else "stricter"
        yield became("mode", before, after), "same" if new["effect"] == "allow" else weaker
