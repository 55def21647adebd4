"""Indexes of an environment's catalog and agents, by the names that rules use.

Rule 1: each index is built once. The lookup of one rule's names does not depend on the number of rules.
Rule 2: a glob for resources also matches a prefix of the catalog if it matches some URI that starts with the prefix.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice, takewhile
from typing import Final

from msgspec import Struct

from gateway.admission.uri_patterns import normal_key, normal_pattern
from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.name_globs import NameGlobs, fits
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment

_WILDCARD: Final = re.compile(r"[*?]")
SECTIONS: Final = ("tools", "prompts", "resources")
"""The kinds of target that a rule names."""
SERVER_FIELDS: Final = ("servers", "server_tags", "server_environments")
"""The fields of a rule that select servers."""


class CatalogTarget(Struct, frozen=True):
    """One entry of a catalog: its server, its name and its catalog entry."""

    server: str
    section: str
    name: str
    entry: Json

    @property
    def tags(self) -> list[str]:
        """The tags of the entry."""
        return self.entry.get("tags", [])


class CatalogNames:
    """The servers and targets of an environment, by the fields that rules select them with."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self.servers: Final = {document.value["server"]: document.value for document in documents}
        self.server_names: Final = NameGlobs(self.servers)
        self.by_server_word: Final[Mapping[str, Mapping[str, set[str]]]] = {
            "server_tags": _grouped((tag, name) for name, each in self.servers.items() for tag in each.get("tags", [])),
            "server_environments": _grouped(
                (each["environment"], name) for name, each in self.servers.items() if "environment" in each
            ),
        }
        self._sections = {section: _Section(section, self.servers) for section in SECTIONS}
        targets = [target for section in self._sections.values() for target in section.all()]
        targets += self.tasks(None)
        self.targets: Final[tuple[CatalogTarget, ...]] = tuple(targets)
        self.by_tag: Final[dict[str, list[CatalogTarget]]] = {}
        for target in targets:
            for tag in target.tags:
                self.by_tag.setdefault(tag, []).append(target)

    def concerned(self, what: Json) -> frozenset[str] | None:
        """Return the servers that a rule selects; None if it does not select servers."""
        named = [self.server_names.matching_any(what["servers"])] if "servers" in what else []
        for field, having in self.by_server_word.items():
            if field in what:
                named.append(frozenset(name for word in what[field] for name in having.get(word, ())))
        return frozenset(name for name in named[0] if all(name in each for each in named)) if named else None

    def matching(self, section: str, glob: str, servers: AbstractSet[str] | None) -> Iterator[CatalogTarget]:
        """Yield the targets of these servers (None: of all) that a glob of a rule matches."""
        return (t for t in self._sections[section].matching(glob) if servers is None or t.server in servers)

    def tasks(self, servers: AbstractSet[str] | None) -> list[CatalogTarget]:
        """Return the entries for the task handles of these servers (None: of all)."""
        named = ((name, each) for name, each in self.servers.items() if servers is None or name in servers)
        return [CatalogTarget(name, "tasks", "", each["tasks"]) for name, each in named if "tasks" in each]

    def names(self, section: str, servers: AbstractSet[str] | None) -> list[str]:
        """Return the names of the targets of these servers (None: of all)."""
        names = self.servers if servers is None else servers
        return [target for name in names for target in self.servers[name].get(section, {})]

    def tags(self, servers: AbstractSet[str] | None) -> list[str]:
        """Return the tags of the targets of these servers (None: of all)."""
        if servers is None:
            return list(self.by_tag)
        return [tag for tag, targets in self.by_tag.items() if any(target.server in servers for target in targets)]


class Bearers(Struct, frozen=True):
    """The values that the agents of an environment have, by field of `who`."""

    words: Mapping[str, frozenset[str]]
    entries: tuple[Json, ...]
    groups_are_known: bool
    """True if `environment.yaml` lists the groups that exist."""
    issuers: frozenset[str]


def bearers(environment: Environment) -> Bearers:
    """Return the values that the agents of an environment have."""
    agents = tuple(environment.agent_entries())
    stated = environment.settings.value.get("groups")
    identified = {each["group"] for agent in agents for each in agent.get("identities", []) if "group" in each}
    return Bearers(
        words={
            "agents": frozenset(agent["agent"] for agent in agents),
            "kinds": frozenset(agent["kind"] for agent in agents),
            "labels": frozenset(label for agent in agents for label in agent.get("labels", [])),
            "owners": frozenset(agent["owner"] for agent in agents),
            "groups": frozenset(identified | set(stated or ())),
        },
        entries=agents,
        groups_are_known=stated is not None,
        issuers=frozenset(each["issuer"] for agent in agents for each in agent.get("identities", [])),
    )


class _Section:
    """The targets of one kind on all servers, with a cache of glob matches."""

    def __init__(self, section: str, servers: Mapping[str, Json]) -> None:
        self._are_uris = section == "resources"
        self._targets: dict[str, list[CatalogTarget]] = {}
        for server, each in servers.items():
            for name, entry in each.get(section, {}).items():
                key = normal_key(name) if self._are_uris else name
                self._targets.setdefault(key, []).append(CatalogTarget(server, section, name, entry))
        self._prefixes = _Prefixes(key[:-1] for key in self._targets if self._are_uris and key.endswith("*"))
        self._names = NameGlobs(key for key in self._targets if not self._are_uris or not key.endswith("*"))
        self._known: dict[str, list[CatalogTarget]] = {}

    def all(self) -> Iterator[CatalogTarget]:
        """Yield every target."""
        for targets in self._targets.values():
            yield from targets

    def matching(self, glob: str) -> list[CatalogTarget]:
        """Return the targets that a glob of a rule matches."""
        if glob not in self._known:
            pattern = normal_pattern(glob) if self._are_uris else glob
            names = [*self._names.matching(pattern), *(f"{prefix}*" for prefix in self._prefixes.meeting(pattern))]
            self._known[glob] = [target for name in names for target in self._targets[name]]
        return self._known[glob]


class _Prefixes:
    """The URI prefixes of a section, sorted so that few of them are compared with a glob."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._sorted = sorted(prefixes)
        self._all = frozenset(self._sorted)
        self._lengths = sorted({len(prefix) for prefix in self._sorted})

    def meeting(self, glob: str) -> list[str]:
        """Return the prefixes for which a glob matches some URI that starts with them."""
        if glob.startswith("*") and "://" not in glob:
            return self._sorted
        head = _WILDCARD.split(glob, maxsplit=1)[0]
        shorter = (head[:length] for length in self._lengths if length < len(head))
        first = bisect_left(self._sorted, head)
        longer = takewhile(lambda prefix: prefix.startswith(head), islice(self._sorted, first, None))
        return [prefix for prefix in (*(self._all.intersection(shorter)), *longer) if meets(glob, prefix)]


def meets(glob: str, prefix: str) -> bool:
    """Return whether a glob of URIs matches some URI with a prefix; `://` matches only the first `://`."""
    scheme, mark, rest = glob.partition("://")
    of_prefix, prefix_mark, below = prefix.partition("://")
    if mark and prefix_mark:
        return fits(scheme, of_prefix) and _may_go_on(rest, below)
    return _may_go_on(glob, prefix)


def _may_go_on(glob: str, prefix: str) -> bool:
    """Return whether a glob matches some text that starts with a prefix; a `*` matches the rest of the prefix."""
    fixed, star, _ = glob.partition("*")
    if len(fixed) < len(prefix) and not star:
        return False
    return all(char in {"?", other} for char, other in zip(fixed, prefix, strict=False))


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for word, name in pairs:
        found.setdefault(word, set()).add(name)
    return found
