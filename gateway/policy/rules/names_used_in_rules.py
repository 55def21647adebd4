"""Find names in rules that do not exist in the environment: a mistake, or a rule written before its catalog entry.

Rule 1: an unknown name is a problem in a `deny` or `hold` rule, which would not restrict anything. It is a warning in
an `allow` rule, which would not permit anything.
Rule 2: `not_yet: true` waives this check for one rule until its `expires`. A waiver without effect is a warning.
Rule 3: if agents, servers or targets are named exactly and none of them matches the rest of the rule, that counts, too.
"""

from collections.abc import Callable, Collection, Iterator
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.argument_paths import REVIEWED, ArgumentPaths
from gateway.policy.rules.argument_tests import mistyped
from gateway.policy.rules.catalog_names import SECTIONS, SERVER_FIELDS, CatalogNames, CatalogTarget
from gateway.policy.rules.data_classes import CatalogData
from gateway.policy.rules.rule_conditions import EXCEPTION, conditions_of
from gateway.policy.rules.unknown_names import AHEAD, SAID, UnknownName, listed
from gateway.policy.rules.who_names import WhoNames
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.name_suggestions import Suggestions
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.timestamps import unix_seconds

_NARROWING: Final = ("tool_tags", "data", "reach", "actions")
"""The fields of a rule about targets, in addition to their names."""
_INSTEAD: Final = f"Correct the name or import it into the catalog. {AHEAD}"
_OF_ARGUMENTS: Final = f"Correct the path, which starts at the arguments of the call. {AHEAD}"
_OF_DATA: Final = "Correct the name, or add it to `data_classes` in environment.yaml."

Group = tuple[tuple[str, str], ...]
"""Sections and names of targets that are checked together."""


class RuleNames(Struct, frozen=True):
    """The problems of the names in rules, which refuse a build, and the warnings, which do not."""

    problems: list[Problem]
    warnings: list[Problem]


def rule_names(environment: Environment, now: float) -> RuleNames:
    """Return the problems of the names in the rules of an environment at `now` (Unix seconds)."""
    found = RuleNames([], [])
    search = _Search(environment)
    for document, pointer, rule in environment.rules_placed():
        unknown = list(search.unknown(rule))
        is_waived = bool(rule.get("not_yet"))
        if is_waived and not unknown:
            found.warnings.append(_needless(document, f"{pointer}/not_yet", rule))
        if is_waived and unix_seconds(rule["expires"]) > now:
            continue
        ended = f" (`not_yet` ended at {rule['expires']})" if is_waived else ""
        for each in unknown:
            listed_in = found.problems if each.refuses and _loosens(rule, each.pointer) else found.warnings
            listed_in.append(document.problem(pointer + each.pointer, f"{each.what}{ended}.", each.remedy))
    return found


def lookup(environment: Environment) -> Callable[[Json], Iterator[UnknownName]]:
    """Return a function that yields the unknown names of one rule."""
    return _Search(environment).unknown


def _loosens(rule: Json, pointer: str) -> bool:
    """Return whether a wrong name makes a rule less strict. An `allow` whose exception never matches permits more.

    An argument that no target has is unknown: it neither matches an exception nor fails to match it.
    """
    if pointer.startswith(EXCEPTION):
        return rule["effect"] == "allow" and pointer.startswith(f"{EXCEPTION}/who")
    return rule["effect"] != "allow"


def _needless(document: Document, pointer: str, rule: Json) -> Problem:
    said = f"`not_yet` has no effect: everything that the rule `{rule['rule']}` names exists."
    keeps = rule["effect"] != "allow" and "mode" not in rule
    remedy = "Remove it, and also `expires` if the rule should stay." if keeps else "Remove it."
    return document.problem(pointer, said, remedy)


class _Search:
    """A lookup of the names in rules, one rule at a time."""

    def __init__(self, environment: Environment) -> None:
        self._catalog = CatalogNames(environment.catalog)
        self._who = WhoNames(environment)
        self._data = CatalogData(self._catalog, environment.settings.value)
        self._suggestions = Suggestions()
        self._arguments = ArgumentPaths()
        self._lacking: dict[object, tuple[str, str] | None] = {}

    def unknown(self, rule: Json) -> Iterator[UnknownName]:
        """Yield the names in a rule that do not exist in the environment."""
        yield from self._who.unknown(rule.get("who", {}))
        excepted = self._who.unknown(rule.get("unless", {}).get("who", {}))
        yield from (replace(each, pointer=EXCEPTION + each.pointer) for each in excepted)
        what = rule.get("what", {})
        of_servers = [*self._servers(what)]
        yield from of_servers
        concerned = None if of_servers else self._catalog.concerned(what)
        if concerned == frozenset():
            concerned = None
            if not any(map(_is_glob, what.get("servers", ["*"]))):
                yield UnknownName("/what", f"no server matches all of {listed(what, SERVER_FIELDS)}", _INSTEAD)
        of_targets = [*self._targets(what, concerned), *self._tags(what, concerned), *self._classes(what, concerned)]
        yield from of_targets
        if any(each.refuses for each in of_targets):
            return
        yield from self._combined(what, concerned)
        for pointer, condition in conditions_of(rule):
            lacking = [*self._argument(f"{pointer}/path", condition["path"], what, concerned)]
            yield from lacking or self._mistyped(pointer, condition, what, concerned)

    def _servers(self, what: Json) -> Iterator[UnknownName]:
        for number, glob in enumerate(what.get("servers", [])):
            if not _is_all(glob) and not self._catalog.server_names.matching(glob):
                yield self._missing("servers", number, glob, self._catalog.servers.keys)
        for field, having in self._catalog.by_server_word.items():
            for number, word in enumerate(what.get(field, [])):
                if word not in having:
                    yield self._missing(field, number, word, having.keys)

    def _targets(self, what: Json, servers: AbstractSet[str] | None) -> Iterator[UnknownName]:
        for section in SECTIONS:
            for number, glob in enumerate(what.get(section, [])):
                if not _is_all(glob) and not any(self._catalog.matching(section, glob, servers)):
                    yield self._missing_target(section, number, glob, servers)

    def _missing_target(self, section: str, number: int, glob: str, servers: AbstractSet[str] | None) -> UnknownName:
        elsewhere = None if servers is None else next(self._catalog.matching(section, glob, None), None)
        if elsewhere is None:
            known = partial(self._catalog.names, section, servers)
            return self._missing(section, number, glob, known, _of(servers))
        said = f"{SAID[section].format(glob)}{_of(servers)}"
        return UnknownName(f"/what/{section}/{number}", said, f"The server `{elsewhere.server}` has it. {_INSTEAD}")

    def _tags(self, what: Json, servers: AbstractSet[str] | None) -> Iterator[UnknownName]:
        for number, tag in enumerate(what.get("tool_tags", [])):
            if not any(servers is None or target.server in servers for target in self._catalog.by_tag.get(tag, ())):
                yield self._missing("tool_tags", number, tag, partial(self._catalog.tags, servers), _of(servers))

    def _classes(self, what: Json, servers: AbstractSet[str] | None) -> Iterator[UnknownName]:
        for number, name in enumerate(what.get("data", [])):
            pointer = f"/what/data/{number}"
            if name not in self._data.classes:
                remedy = self._suggestions.nearest(name, lambda: self._data.classes) or _OF_DATA
                yield UnknownName(pointer, SAID["data"].format(name), remedy)
            elif name not in self._data.held(servers):
                said = f"no target{_of(servers)} holds data of the class `{name}`"
                yield UnknownName(pointer, said, f"Classify the targets that hold it. {AHEAD}", refuses=False)

    def _combined(self, what: Json, servers: AbstractSet[str] | None) -> Iterator[UnknownName]:
        """Yield a conflict of exactly named targets with the rest of the rule: its actions, data, reach or tags."""
        named = [(section, name) for section in SECTIONS for name in what.get(section, [])]
        if not named or not {*_NARROWING} & what.keys() or any(map(_is_glob, (name for _, name in named))):
            return
        targets = (target for section, name in named for target in self._catalog.matching(section, name, servers))
        if not any(self._data.fits(what, target) for target in targets):
            fields = listed(what, (*SECTIONS, *_NARROWING))
            yield UnknownName("/what", f"no target{_of(servers)} matches all of {fields}", _INSTEAD)

    def _argument(self, pointer: str, path: str, what: Json, servers: AbstractSet[str] | None) -> Iterator[UnknownName]:
        """Yield the path of a condition once per name, or once for all globs, if their targets surely lack it."""
        narrowing = tuple(tuple(what.get(field, ())) for field in _NARROWING)
        for group in _groups(what):
            key = (path, servers, group, narrowing)
            if key not in self._lacking:
                self._lacking[key] = self._lacks(path, self._meant(group, what, servers))
            lacking = self._lacking[key]
            if lacking is not None:
                yield UnknownName(pointer, *lacking)

    def _meant(self, group: Group, what: Json, servers: AbstractSet[str] | None) -> Iterator[CatalogTarget]:
        """Yield the targets that the names of a group match."""
        matching = (self._catalog.matching(section, name, servers) for section, name in group)
        return (each for some in matching for each in some if self._data.fits(what, each))

    def _mistyped(
        self, pointer: str, condition: Json, what: Json, servers: AbstractSet[str] | None
    ) -> Iterator[UnknownName]:
        """Yield the tests of a condition that cannot apply to any value that the targets of the rule accept there."""
        for group in _groups(what):
            wrong = mistyped(self._arguments, pointer, condition, [*self._meant(group, what, servers)])
            if wrong is not None:
                yield UnknownName(wrong.pointer, wrong.what, f"{wrong.remedy} {AHEAD}")

    def _lacks(self, path: str, targets: Iterator[CatalogTarget]) -> tuple[str, str] | None:
        """Return the problem if every target has a reviewed schema and none of them has the path."""
        first, known = "", set[str]()
        for target in targets:
            instead = self._arguments.instead(target, path)
            if instead is None:
                return None
            first, known = first or target.name, known | instead
        if not first:
            return None
        remedy = self._suggestions.nearest(path, lambda: known) or _OF_ARGUMENTS
        return f"the pinned schema of `{first}` has no argument `{path}`", remedy

    def _missing(
        self, field: str, number: int, name: str, known: Callable[[], Collection[str]], of: str = ""
    ) -> UnknownName:
        remedy = self._suggestions.nearest(name, known) or _INSTEAD
        return UnknownName(f"/what/{field}/{number}", f"{SAID[field].format(name)}{of}", remedy)


def _groups(what: Json) -> list[Group]:
    """Return each exact name of a rule as one group, then its globs, or all targets with arguments, as another."""
    if not {*SECTIONS} & what.keys():
        return [tuple((section, "*") for section in REVIEWED)]
    named = [(section, name) for section in REVIEWED for name in what.get(section, [])]
    exact = [(each,) for each in named if not _is_glob(each[1])]
    return [*exact, tuple(each for each in named if _is_glob(each[1]))]


def _is_all(glob: str) -> bool:
    return not glob.strip("*")


def _is_glob(name: str) -> bool:
    return "*" in name or "?" in name


def _of(servers: AbstractSet[str] | None) -> str:
    """Return the end of a sentence about the servers that a rule selects."""
    if servers is None:
        return ""
    return f" on `{next(iter(servers))}`" if len(servers) == 1 else f" on the {len(servers)} servers of the rule"
