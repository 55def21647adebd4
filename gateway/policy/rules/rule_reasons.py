"""Check that a rule states its reason, its owner and its end where these are mandatory.

Rule 1: a `deny` or `hold` must have a reason, which refused callers see.
Rule 2: an `allow` that includes write, delete, send, execute or unknown must have a reason and an owner. If the
environment sets `allow_expires_within_days`, it must also end within so many days.
Rule 3: an `allow` without `actions` includes these actions, unless every catalog target that it can apply to has the
action `read` or `list`.
Rule 4: an expired rule is reported, because it looks as if it still applied.
"""

from collections.abc import Iterator
from typing import Final

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.catalog_names import SECTIONS, CatalogNames
from gateway.policy.rules.data_classes import CatalogData
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.timestamps import unix_seconds

_MILD: Final = frozenset({"read", "list"})
_DAY_S: Final = 86_400


def rule_reasons(environment: Environment, now: float) -> list[Problem]:
    """Return a problem for each mandatory field that a rule of an environment lacks at `now` (Unix seconds)."""
    catalog = CatalogNames(environment.catalog)
    data = CatalogData(catalog, environment.settings.value)
    days: int | None = environment.settings.value.get("allow_expires_within_days")
    found: list[Problem] = []
    for document, pointer, rule in environment.rules_placed():
        if rule["effect"] != "allow":
            found += _unreasoned(document, pointer, rule)
        elif (days is not None or not {"reason", "owner"} <= rule.keys()) and (harm := included(rule, catalog, data)):
            found += _unanswered(document, pointer, rule, harm)
            found += () if days is None else _unending(document, pointer, rule, now + days * _DAY_S)
    return found


def ended_rules(environment: Environment, now: float) -> Iterator[Problem]:
    """Yield a warning for each rule that has expired at `now`; the end of a mode or `not_yet` does not end the rule."""
    for document, pointer, rule in environment.rules_placed():
        if "expires" in rule and not {"mode", "not_yet"} & rule.keys() and unix_seconds(rule["expires"]) <= now:
            said = f"the rule `{rule['rule']}` ({rule['effect']}) expired at {rule['expires']} and no longer applies."
            yield document.problem(f"{pointer}/expires", said, "Remove the rule, or choose a later `expires`.")


def _unreasoned(document: Document, pointer: str, rule: Json) -> Iterator[Problem]:
    if "reason" not in rule:
        said = f"the rule `{rule['rule']}` ({rule['effect']}) lacks `reason`."
        yield document.problem(pointer, said, "Add the reason: refused callers see it.")


def _unanswered(document: Document, pointer: str, rule: Json, harm: str) -> Iterator[Problem]:
    for field, remedy in (
        ("reason", "Add why the rule allows it."),
        ("owner", "Add the person or team that is responsible for it."),
    ):
        if field not in rule:
            yield document.problem(pointer, f"the rule `{rule['rule']}` allows {harm} and lacks `{field}`.", remedy)


def _unending(document: Document, pointer: str, rule: Json, latest: float) -> Iterator[Problem]:
    wanted = "`allow_expires_within_days` of environment.yaml"
    if "expires" not in rule:
        said = f"the rule `{rule['rule']}` allows more than reading and lacks `expires`."
        yield document.problem(pointer, said, f"Add `expires`: {wanted} requires it.")
    elif unix_seconds(rule["expires"]) > latest:
        said = f"the rule `{rule['rule']}` expires later than {wanted} allows."
        yield document.problem(
            f"{pointer}/expires", said, "Choose an earlier `expires`, and renew the rule before then."
        )


def included(rule: Json, catalog: CatalogNames, data: CatalogData) -> str:
    """Return the actions of an `allow` other than reading, in words; empty if it only allows reading."""
    what = rule.get("what", {})
    if "actions" in what:
        return ", ".join(action for action in what["actions"] if action not in _MILD)
    servers = catalog.concerned(what)
    named = [(section, glob) for section in SECTIONS for glob in what.get(section, [])]
    about = named or [(section, "*") for section in SECTIONS]
    targets = [target for section, glob in about for target in catalog.matching(section, glob, servers)]
    if not named:
        targets += catalog.tasks(servers)
    targets = [target for target in targets if data.fits(what, target)]
    harmful = (target for target in targets if target.entry.get("action", "unknown") not in _MILD)
    first = next(harmful, None)
    if first is None:
        return "" if targets else "targets that are not in the catalog yet"
    name = f"`{first.name}`" if first.name else "tasks"
    return f"{name} of `{first.server}` ({first.entry.get('action', 'unknown')})"
