"""Changes of the environment, of the requirements and of their enforcement.

Rule 1: removing a requirement, enforcing it less strictly, or prolonging a less strict enforcement is looser.
"""

from collections.abc import Iterator
from typing import Any, Final

from gateway.artifact.json_narrowing import Json
from gateway.authoring.difference.catalog import drift_changes
from gateway.authoring.difference.change import (
    Change,
    Effect,
    Told,
    became,
    gained,
    paired,
    prolonged,
    shown,
)
from gateway.authoring.difference.data_classes import class_list_changes

_STRICTNESS: Final = {"deny": 3, "hold": 2, "warn": 1, "shadow": 0}
_WORDS: Final = frozenset({"title", "description", "severity", "remedy"})


def setting_changes(old: Json, new: Json) -> Iterator[Change]:
    """Yield the changes from one bundle's data to another's that affect all messages."""
    for what, effect in _environment(old["environment"], new["environment"]):
        yield Change(about="environment", name="", what=what, effect=effect)
    for what, effect in gained(
        old["required"], new["required"], more="now requires", fewer="no longer requires", wider="stricter"
    ):
        yield Change(about="environment", name="", what=what, effect=effect)
    for name, before, after in paired(old["enforcement"], new["enforcement"]):
        what, effect = _enforcement(before, after)
        yield Change(about="enforcement", name=f"of {name}", what=what, effect=effect)
    for name, before, after in paired(old["requirements"], new["requirements"]):
        for what, effect in _requirement(before, after):
            yield Change(about="requirement", name=name, what=what, effect=effect)


def _environment(old: Json, new: Json) -> Told:
    for field, before, after in paired(old, new):
        match field:
            case "default":
                yield f"now defaults to {after} if no rule applies, not to {before}", _if(after == "allow")
            case "require_pins":
                yield f"{'now' if after else 'no longer'} refuses targets without a pin", _if(not after)
            case "check_schemas":
                yield became(field, before, after), _if(after == "lenient")
            case "check_formats":
                yield became(field, before, after), _if(not after)
            case "data_classes":
                yield from class_list_changes(before, after)
            case "definition_drift":
                yield from drift_changes(before or {}, after or {})
            case "observe":
                yield became(field, before, after), _observing(before, after)
            case _:
                yield became(field, before, after), "unclear"


def _if(looser: bool) -> Effect:  # noqa: FBT001 - the only argument
    return "looser" if looser else "stricter"


def _observing(old: Any, new: Any) -> Effect:
    if old is None or new is None:
        return _if(old is None)
    further = prolonged(old.get("expires"), new.get("expires"))
    return "unclear" if further is None else "looser" if further else "same"


def _enforcement(old: Json | None, new: Json | None) -> tuple[str, Effect]:
    if new is None:
        return "is deny again", "stricter"
    said = f"is {new.get('mode')} until {new.get('expires')}, because {shown(new.get('reason', ''))}"
    if old is None:
        return f"{said}, not deny", "looser"
    before, after = (_STRICTNESS.get(entry.get("mode", ""), -1) for entry in (old, new))
    further = prolonged(old.get("expires"), new.get("expires"))
    if after < before or further:
        return said, "looser"
    return said, "unclear" if further is None else "stricter" if after > before else "same"


def _requirement(old: Json | None, new: Json | None) -> Told:
    if old is None or new is None:
        title = (new or old or {}).get("title", "")
        yield (f"is new: {title}", "stricter") if old is None else (f"is removed: {title}", "looser")
        return
    for field, before, after in paired(old, new):
        if field == "reads":
            yield from gained(before, after, more="now reads", fewer="no longer reads", wider="unclear")
        else:
            yield became(field, before, after), "same" if field in _WORDS else "unclear"
