"""The requirements of a staged tree (`mcp/requirements/`), with their METADATA and their reads.

Rule 1: one directory is one package and one requirement, with METADATA and tests.
Rule 2: `met` must not read values that only a call has. The reads come from OPA (`opa deps`), they are never guessed.
Rule 3: no registry exists. Every directory is a requirement, and an incomplete one refuses the build.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.artifact.json_narrowing import Json, is_object
from gateway.artifact.layout import REQUIREMENTS
from gateway.policy.rego.caller_reads import CallerReads
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_module import PARALLEL, Module, row
from gateway.policy.sources.problem import Problem

SEVERITIES: Final = ("low", "medium", "high", "critical")
CALL_ONLY: Final = ("arguments", "arguments_meta", "facts", "session", "usage", "approval", "items", "client", "phase")
"""Top-level keys of the input that `met` may not read (DESIGN section 4)."""
METHOD_READERS: Final = frozenset({"message_is_known"})

Reads = dict[str, list[str]]
"""`met` and `met_by_arguments` -> the `input.*` and `data.*` paths that the rule reads, transitively."""


class Requirement(Struct, frozen=True, kw_only=True):
    """One requirement as the bundle describes it (`data.requirements`)."""

    title: str
    description: str
    severity: str
    remedy: str
    arguments: bool
    reads: list[str]


class RequirementDirectory(Struct, frozen=True):
    """A requirement's directory before it is checked."""

    name: str
    modules: tuple[Module, ...]
    tests: tuple[Module, ...]
    caller: CallerReads = CallerReads()
    """The caller's claims that it reads, if it is one of the repository's own requirements."""

    def rules(self, name: str) -> list[tuple[Module, Any]]:
        """Return every rule with this name and its file."""
        return [(module, rule) for module in self.modules for rule in module.rules if head_name(rule) == name]

    @property
    def place(self) -> str:
        """The file for problems of the requirement as a whole."""
        return self.modules[0].path if self.modules else f"mcp/requirements/{self.name}"


def head_name(rule: Mapping[str, Any]) -> str:
    """Return the first name of a rule's head."""
    head = rule["head"]
    reference = head.get("ref") or [{"value": head.get("name", "")}]
    return str(reference[0]["value"])


def discover(modules: Sequence[Module]) -> list[RequirementDirectory]:
    """Return the requirements, sorted by name."""
    names = {module.path.split("/")[2] for module in modules if module.path.startswith("mcp/requirements/")}
    return [_found(name, modules) for name in sorted(names)]


def _found(name: str, modules: Sequence[Module]) -> RequirementDirectory:
    mine = [module for module in modules if module.path.startswith(f"mcp/requirements/{name}/")]
    return RequirementDirectory(
        name,
        tuple(module for module in mine if not module.is_test),
        tuple(module for module in mine if module.is_test),
    )


def incomplete(found: RequirementDirectory) -> list[Problem]:
    """Return what a requirement lacks: `met`, METADATA, tests."""
    problems: list[Problem] = []
    if not found.rules("met"):
        problems.append(
            Problem(found.place, 0, "does not define `met`.", "Write `met if {...}` with the condition that must hold.")
        )
    tests = [rule for module in found.tests for rule in module.rules if head_name(rule).startswith("test_")]
    if not tests:
        remedy = f"Write {found.name}_test.rego, package {REQUIREMENTS}{found.name}_test, with rules named test_*."
        problems.append(Problem(found.place, 0, "has no tests.", remedy))
    return problems + _metadata_problems(found)


def _metadata(found: RequirementDirectory) -> list[tuple[Module, Mapping[str, Any]]]:
    return [
        (module, block) for module in found.modules for block in module.annotations if block.get("scope") == "package"
    ]


def _metadata_problems(found: RequirementDirectory) -> list[Problem]:
    blocks = _metadata(found)
    if len(blocks) != 1:
        said = "has no METADATA." if not blocks else "has more than one METADATA block for its package."
        remedy = "Write one METADATA block above `package`: title, description, custom: {severity, remedy}."
        return [Problem(found.place, 1, said, remedy)]
    module, block = blocks[0]
    custom = block.get("custom", {})
    lacking = [name for name in ("title", "description") if not block.get(name)]
    lacking += [f"custom.{name}" for name in ("remedy",) if not custom.get(name)]
    if custom.get("severity") not in SEVERITIES:
        lacking.append(f"custom.severity ({', '.join(SEVERITIES)})")
    return [Problem(module.path, row(block), f"METADATA lacks {name}.", "Add it.") for name in lacking]


def described(found: RequirementDirectory, reads: Mapping[str, list[str]]) -> Requirement:
    """Return the requirement's entry in the bundle; METADATA must already be checked."""
    _, block = _metadata(found)[0]
    custom = block["custom"]
    return Requirement(
        title=block["title"],
        description=block["description"],
        severity=custom["severity"],
        remedy=custom["remedy"],
        arguments=bool(found.rules("met_by_arguments")),
        reads=sorted({path for paths in reads.values() for path in paths}),
    )


def read_sets(found: Sequence[RequirementDirectory], opa: OpaCommand, within: Path) -> dict[str, Reads]:
    """Return requirement -> its reads."""
    asked = [(each.name, rule) for each in found for rule in ("met", "met_by_arguments") if each.rules(rule)]
    with ThreadPoolExecutor(PARALLEL) as pool:
        answers = list(pool.map(partial(_reads, opa, within), asked))
    sets: dict[str, Reads] = {each.name: {} for each in found}
    for (name, rule), answer in zip(asked, answers, strict=True):
        sets[name][rule] = answer
    return sets


def _reads(opa: OpaCommand, within: Path, asked: tuple[str, str]) -> list[str]:
    name, rule = asked
    ran = opa.run("deps", "--format=json", "--data=mcp", f"data.{REQUIREMENTS}{name}.{rule}", within=within)
    report = ran.report()
    if ran.code or not is_object(report):
        return ["input"]  # if the reads cannot be computed, everything counts as read
    references: list[list[Json]] = report.get("base") or []
    return sorted({_path(reference) for reference in references})


def _path(reference: list[Json]) -> str:
    """Return the keys joined by dots, cut off before a key that contains a dot: its parent counts as read."""
    keys = [str(term["value"]) for term in reference]
    return ".".join(takewhile(lambda key: "." not in key, keys))


def overreaching(found: RequirementDirectory, reads: list[str]) -> list[Problem]:
    """Return a problem for each read of `met` that only a call can answer (Rule 2)."""
    return [problem for path in reads if (problem := _overreach(found, path))]


def _overreach(found: RequirementDirectory, path: str) -> Problem | None:
    module, rule = found.rules("met")[0]
    parts = path.split(".")
    if parts == ["input"]:
        remedy = "Name the fields that it needs: `input` as a whole hides its reads."
        return Problem(module.path, row(rule), "`met` reads `input` as a whole.", remedy)
    if parts[0] == "input" and parts[1] in CALL_ONLY:
        remedy = "Check it in `met_by_arguments`: an item of a list does not have it."
        return Problem(module.path, row(rule), f"`met` reads `{path}`.", remedy)
    method = parts in (["input", "message"], ["input", "message", "method"])
    if method and found.name not in METHOD_READERS:
        remedy = "Check the target, action or server instead. Only message_is_known may read the method."
        return Problem(module.path, row(rule), f"`met` reads `{path}`.", remedy)
    return None
