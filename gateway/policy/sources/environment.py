"""The documents of one environment, read from `bundles/<environment>/` and checked.

Rule 1: each file is read once, by one reader. A file that is not of one of the kinds below is refused.
Rule 2: a document must match its data schema. All problems of all files are reported together.
Rule 3: a file is parsed again only if its content has changed.
"""

import hashlib
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.rule_conditions import ConditionTest, tests_of
from gateway.policy.sources.document import MAX_BYTES, Document, read_document
from gateway.policy.sources.leftover_placeholders import placeholders_in
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.schema_checks import violations
from gateway.policy.sources.scope_yaml import crossing_links, is_scope, misplaced, unread_scope
from gateway.policy.sources.secret_shapes import secrets_in
from gateway.policy.sources.source_files import DirectoryListing, DirectoryToList, SourceFile, list_files, read_regular
from gateway.policy.sources.timestamps import with_full_ends

KINDS: Final[Mapping[str, str]] = {
    "catalog": "catalog",
    "agents": "agents",
    "rules": "rules",
    "enforcement": "enforcement",
    "scenarios": "scenarios",
    "data": "own",
}
"""Directory -> kind of document."""


class Environment(Struct, frozen=True, kw_only=True):
    """The documents of an environment, by kind, each sorted by file."""

    name: str
    settings: Document
    catalog: tuple[Document, ...]
    agents: tuple[Document, ...]
    rules: tuple[Document, ...]
    enforcement: tuple[Document, ...]
    scenarios: tuple[Document, ...]
    own: tuple[Document, ...]
    scopes: tuple[Document, ...] = ()
    """The `scope.yaml` files below `rules/`."""

    def agent_entries(self) -> list[Json]:
        """Return every agent, from files with one agent and from files with several."""
        return [entry for _, _, entry in self.agents_placed()]

    def agents_by_id(self) -> dict[str, Json]:
        """Return agent id -> its entry, as written."""
        return {entry["agent"]: entry for entry in self.agent_entries()}

    def agents_placed(self) -> Iterator[tuple[Document, str, Json]]:
        """Yield every agent with its document and its JSON pointer."""
        for document in self.agents:
            if "agents" in document.value:
                for number, entry in enumerate(document.value["agents"]):
                    yield document, f"/agents/{number}", entry
            else:
                yield document, "", document.value

    def rules_placed(self) -> Iterator[tuple[Document, str, Json]]:
        """Yield every rule with its document and its JSON pointer."""
        for document in self.rules:
            for number, entry in enumerate(document.value["rules"]):
                yield document, f"/rules/{number}", entry

    def scenarios_placed(self) -> Iterator[tuple[Document, str, Json]]:
        """Yield every scenario with its document and its JSON pointer."""
        for document in self.scenarios:
            for number, entry in enumerate(document.value["scenarios"]):
                yield document, f"/scenarios/{number}", entry

    def rule_entries(self) -> Iterator[tuple[Json, str, int]]:
        """Yield every rule with its file (relative to the environment's directory) and line."""
        for document, pointer, entry in self.rules_placed():
            yield entry, _below(document.file, self.name), document.line(pointer)

    def tests(self, *words: str) -> Iterator[tuple[Document, str, ConditionTest]]:
        """Return the tests with these words in the conditions of the rules, each with its document and pointer."""
        return (placed for placed in self.every_test() if placed[2].word in words)

    def every_test(self) -> Iterator[tuple[Document, str, ConditionTest]]:
        """Yield every test in the conditions of the rules, with its document and pointer."""
        for document, pointer, rule in self.rules_placed():
            yield from ((document, pointer + test.pointer, test) for test in tests_of(rule))

    def enforcement_entries(self) -> Json:
        """Return requirement -> its enforcement."""
        return {name: entry for document in self.enforcement for name, entry in document.value["enforcement"].items()}


def _below(file: str, name: str) -> str:
    """Return the path of a file relative to its environment's directory."""
    return file.removeprefix(f"bundles/{name}/")


class EnvironmentReader:
    """A reader of environments that caches documents by content."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, Document | list[Problem]]] = {}

    def read(self, policy: Path, name: str, *, editing: bool = False) -> Environment | list[Problem]:
        """Return the environment's documents, or every problem in them.

        `editing`: ignore the files that an editor creates next to an open file.
        """
        root = policy / "bundles" / name
        if not root.is_dir() and not root.is_symlink():
            remedy = "Create the directory with an environment.yaml, or name another environment."
            return [Problem(f"bundles/{name}", 0, "does not exist.", remedy)]
        listing = list_environment(policy, name)
        problems = list(listing.problems if editing else listing.problems + listing.editing)
        problems += crossing_links(policy, f"bundles/{name}", listing.files)
        documents: dict[str, list[Document]] = {kind: [] for kind in ("environment", "scope", *KINDS.values())}
        for source in listing.files:
            kind = _kind(source)
            found = (
                self._document(source.place, f"bundles/{name}/{source.path}", kind) if kind else _unread(source, name)
            )
            if isinstance(found, Document):
                documents[kind].append(found)
            else:
                problems += found
        return problems or _environment(name, documents)

    def _document(self, place: Path, file: str, kind: str) -> Document | list[Problem]:
        try:
            content = read_regular(place, MAX_BYTES + 1)
        except OSError as error:
            return [Problem(file, 0, f"cannot be read: {error.strerror}.", "Check its permissions.")]
        digest = hashlib.sha256(content).hexdigest()
        known = self._known.get(file)
        if known is None or known[0] != digest:
            known = (digest, _checked(file, content, kind))
            self._known[file] = known
        return known[1]


def list_environment(policy: Path, name: str) -> DirectoryListing:
    """Return the files below an environment's directory, documents and others."""
    shown = f"bundles/{name}"
    return list_files(DirectoryToList(root=policy / shown, shown=shown, within=policy))


def _kind(source: SourceFile) -> str:
    """Return the kind of a file by its directory and suffix; empty if it is not a document."""
    if source.path == "environment.yaml":
        return "environment"
    if is_scope(source.path):
        return "scope"
    if misplaced(source.path):
        return ""
    directory, _, below = source.path.partition("/")
    path = PurePosixPath(below)
    return KINDS.get(directory, "") if path.suffix == ".yaml" and not path.name.startswith(".") else ""


def _unread(source: SourceFile, name: str) -> list[Problem]:
    """Return the problem of a file that is not a document."""
    path = PurePosixPath(source.path)
    above, slash, _ = source.path.partition("/")
    directory = above if slash else ""
    meant = get_close_matches(directory.lower(), KINDS, 1)
    what, remedy = "", f"Keep environment.yaml here and *.yaml in {', '.join(KINDS)}/."
    scope = misplaced(source.path)
    if scope:
        what, remedy = scope
    elif path.name.startswith("."):
        what, remedy = ": its name starts with a dot", "Remove it, or rename it without the dot."
    elif directory in KINDS or source.path.lower().startswith("environment.y"):
        what = f": its suffix is `{path.suffix}`" if path.suffix else ": it has no suffix"
        remedy = f"Rename it to `{path.with_suffix('.yaml').name}` or remove it."
    elif directory and meant:
        what, remedy = f": the directory `{directory}` is not known", f"Did you mean `{meant[0]}/`?"
    return [Problem(f"bundles/{name}/{source.path}", 0, f"is not a file of an environment{what}.", remedy)]


def _checked(file: str, content: bytes, kind: str) -> Document | list[Problem]:
    document = read_document(file, content)
    if isinstance(document, list):
        return document
    scopes = unread_scope(file, document.value) if kind == "rules" else []
    problems = secrets_in(document) + placeholders_in(document, kind)
    problems += scopes or (violations(document, kind) if kind != "own" else [])
    return problems or document


def _environment(name: str, documents: Mapping[str, list[Document]]) -> Environment | list[Problem]:
    if not documents["environment"]:
        remedy = f"Create it with `name: {name}`."
        return [Problem(f"bundles/{name}/environment.yaml", 0, "does not exist.", remedy)]
    zone = documents["environment"][0].value.get("time_zone", "UTC")
    documents = {kind: [with_full_ends(each, kind, zone) for each in some] for kind, some in documents.items()}
    return Environment(
        name=name,
        settings=documents["environment"][0],
        catalog=tuple(documents["catalog"]),
        agents=tuple(documents["agents"]),
        rules=tuple(documents["rules"]),
        enforcement=tuple(documents["enforcement"]),
        scenarios=tuple(documents["scenarios"]),
        own=tuple(documents["own"]),
        scopes=tuple(documents["scope"]),
    )
