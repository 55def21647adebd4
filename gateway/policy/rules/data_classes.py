"""The data classes and the reach of an environment's targets, as the catalog states them.

Rule 1: a target holds the classes of its own entry and those of its server, so a class that one of them omits still
counts. If neither states a class, the class for unclassified data applies.
Rule 2: the reach of a target is that of its own entry, else that of its server. An `internal` target on an `external`
server is a contradiction.
Rule 3: `environment.yaml` must list every class.
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.catalog_names import CatalogNames, CatalogTarget
from gateway.policy.sources.document import Document, step
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.name_suggestions import nearest
from gateway.policy.sources.problem import Problem

SECTIONS: Final = ("tools", "prompts", "resources")
_ADD: Final = "Add it to `data_classes` in environment.yaml, or correct the name."
_LIST: Final = "List the classes in environment.yaml: `data_classes: {classes: [...], unclassified: ...}`."


def held(server: Json, target: Json, settings: Json) -> list[str]:
    """Return the data classes of a target, sorted; empty if the environment does not list classes."""
    listed: Json = settings.get("data_classes") or {}
    stated = {*server.get("data", ()), *target.get("data", ())}
    return sorted(stated or {listed["unclassified"]}) if listed else []


def reach(server: Json, target: Json) -> str | None:
    """Return how far a target reaches; None if that is not stated."""
    return target.get("reach", server.get("reach"))


class CatalogData:
    """The data classes of an environment's targets, and a check of targets against rules."""

    def __init__(self, catalog: CatalogNames, settings: Json) -> None:
        """Take the catalog, and the settings that list the classes."""
        self._catalog: Final = catalog
        self._settings: Final = settings
        listed: Json = settings.get("data_classes") or {}
        self.classes: Final[frozenset[str]] = frozenset(listed.get("classes", ()))
        self._held: Final[dict[AbstractSet[str] | None, frozenset[str]]] = {}

    def held(self, servers: AbstractSet[str] | None) -> frozenset[str]:
        """Return the data classes of the targets of these servers (None: of all)."""
        if servers not in self._held:
            targets = (each for each in self._catalog.targets if servers is None or each.server in servers)
            self._held[servers] = frozenset(name for target in targets for name in self._of(target))
        return self._held[servers]

    def fits(self, what: Json, target: CatalogTarget) -> bool:
        """Return whether a rule may be about a target; an unknown action or reach may be any."""
        action = target.entry.get("action", "unknown")
        if "actions" in what and action != "unknown" and action not in what["actions"]:
            return False
        if "tool_tags" in what and {*what["tool_tags"]}.isdisjoint(target.tags):
            return False
        far = reach(self._catalog.servers[target.server], target.entry)
        if "reach" in what and far is not None and far != what["reach"]:
            return False
        return "data" not in what or not {*what["data"]}.isdisjoint(self._of(target))

    def _of(self, target: CatalogTarget) -> list[str]:
        return held(self._catalog.servers[target.server], target.entry, self._settings)


def data_class_problems(environment: Environment) -> Iterator[Problem]:
    """Yield the problems of the data classes in catalog and agents, and of the reach of targets."""
    settings = environment.settings
    listed: Json | None = settings.value.get("data_classes")
    known: frozenset[str] = frozenset(listed["classes"] if listed else ())
    if listed and listed["unclassified"] not in known:
        said = f"`unclassified` is `{listed['unclassified']}`, which is not one of `classes`."
        remedy = nearest(listed["unclassified"], known) or "Add it to `classes`, or name one of them."
        yield settings.problem("/data_classes/unclassified", said, remedy)
    for document, pointer, classes in _named(environment):
        if listed is None:
            yield document.problem(pointer, "environment.yaml does not list data classes.", _LIST)
            continue
        for number, name in enumerate(classes):
            if name not in known:
                said = f"no data class is called `{name}`."
                yield document.problem(f"{pointer}/{number}", said, nearest(name, known) or _ADD)
    for document in environment.catalog:
        yield from _narrowed(document)


def uncleared_agents(environment: Environment) -> Iterator[Problem]:
    """Yield a problem for each agent without `clearance` if classes are listed: it cannot use any target."""
    if "data_classes" in environment.settings.value:
        for document, pointer, agent in environment.agents_placed():
            if not agent.get("clearance"):
                said = f"the agent `{agent['agent']}` has no clearance for any data class, so it cannot use any target."
                yield document.problem(pointer, said, "Add `clearance` with the classes that its purpose needs.")


def _named(environment: Environment) -> Iterator[tuple[Document, str, list[str]]]:
    """Yield every list of classes with its document and JSON pointer."""
    for document in environment.catalog:
        for pointer, entry in [("", document.value), *_targets(document)]:
            if "data" in entry:
                yield document, f"{pointer}/data", entry["data"]
    for document, pointer, agent in environment.agents_placed():
        if "clearance" in agent:
            yield document, f"{pointer}/clearance", agent["clearance"]


def _targets(document: Document) -> Iterator[tuple[str, Json]]:
    for section in SECTIONS:
        for name, target in document.value.get(section, {}).items():
            yield step(f"/{section}", name), target
    if "tasks" in document.value:
        yield "/tasks", document.value["tasks"]


def _narrowed(document: Document) -> Iterator[Problem]:
    if document.value.get("reach") != "external":
        return
    for pointer, target in _targets(document):
        if target.get("reach") == "internal":
            said = "`reach` is `internal`, but the server is `external`."
            remedy = "Remove one of them. If only some targets are external, state `reach` on each, not on the server."
            yield document.problem(f"{pointer}/reach", said, remedy)
