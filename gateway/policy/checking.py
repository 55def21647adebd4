"""Check a whole policy repository in stages, as CI does before a bundle is published.

Rule 1: every environment is built as for publishing, loaded into a real OPA, and its scenarios are run.
Rule 2: all problems of all environments are reported together, each once, in the first stage that finds it.
Rule 3: a stage that depends on a refused earlier stage is skipped. Other stages still run.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.artifact.json_narrowing import Json
from gateway.library import library
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.overlay import StagedSources, lay
from gateway.policy.rego.rego_checks import CheckedRego, RequiredCoverage, checked, counted, covered, formatted, tested
from gateway.policy.rego.staged_tree import StagedTree, written
from gateway.policy.rules.masked_reads import ANY_SERVER, wholesale
from gateway.policy.rules.rule_conditions import exception_of
from gateway.policy.scenario_checks import failed
from gateway.policy.sources.problem import Problem, Problems

COVERAGE: Final = 100.0


class Stage(Struct, frozen=True, kw_only=True):
    """One finished stage: its subject (an environment or `rego`), its result, and its duration in seconds."""

    of: str
    name: str
    looked: CheckedRego
    took_s: float


class Summary(Struct, frozen=True, kw_only=True):
    """The counts of an environment, which show a person what was checked."""

    environment: str
    servers: int
    agents: int
    rules: int
    scenarios: int
    requirements: int
    by_kind: int
    """Rules that name kinds of agents."""


class Checked(Struct, frozen=True):
    """The valid environments, all problems, and all warnings."""

    summaries: tuple[Summary, ...]
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]


def environments(policy: Path) -> list[str]:
    """Return the environments of a policy repository."""
    root = policy / "bundles"
    return sorted(place.name for place in root.iterdir() if _is_environment(place)) if root.is_dir() else []


def _is_environment(place: Path) -> bool:
    """Return whether a path is a directory or a broken link, so that a broken link is reported, not skipped."""
    is_broken = place.is_symlink() and not place.exists()
    return (place.is_dir() or is_broken) and not place.name.startswith(".")


class Checking(Struct, frozen=True, kw_only=True):
    """The parameters of a check: the OPA, the directory for cached verifications, the time, the minimum coverage."""

    opa: Path
    state: Path
    now: float
    least_coverage: float = COVERAGE
    own_coverage_is_wished: bool = False
    """True if too low coverage of own files is only a recommendation."""
    stock: Path | None = None

    def check(self, policy: Path, names: Sequence[str]) -> Checked:
        """Check these environments of a policy repository and return the result."""
        builder = self._builder()
        stages = list(self.stages(policy, names, builder))
        problems = {problem for stage in stages for problem in stage.looked.problems}
        wrong = {stage.of for stage in stages if stage.looked.problems}
        contents = [builder.content(PolicySource(policy, name), self.now) for name in names if name not in wrong]
        summaries = [_summary(content) for content in contents if isinstance(content, Content)]
        warnings = {warning for stage in stages for warning in stage.looked.warnings}
        return Checked(tuple(summaries), tuple(sorted(problems)), tuple(sorted(warnings)))

    def stages(self, policy: Path, names: Sequence[str], builder: Builder | None = None) -> Iterator[Stage]:
        """Yield every stage when it finishes: those of the Rego, then those of each environment."""
        reported: set[Problem] = set()
        building = builder or self._builder()
        environments = (self._of_environment(building, PolicySource(policy, name)) for name in names)
        for stages in (self._of_rego(policy), *environments):
            for stage in stages:
                new = [problem for problem in stage.looked.problems if problem not in reported]
                reported.update(new)
                yield replace(stage, looked=replace(stage.looked, problems=new))

    def contents(self, policy: Path, names: Sequence[str]) -> list[Content]:
        """Return the content of each environment that builds."""
        builder = self._builder()
        found = [builder.content(PolicySource(policy, name), self.now) for name in names]
        return [content for content in found if isinstance(content, Content)]

    def library(self) -> Path:
        """Return the stock library that the policy extends."""
        return self.stock or library()

    def _builder(self) -> Builder:
        return Builder(self.state, self.opa, stock=self.library())

    def _of_rego(self, policy: Path) -> Iterator[Stage]:
        opa = OpaCommand(self.opa)
        sources, problems = lay(policy, self.library())
        yield _stage("rego", "sources", lambda: CheckedRego(_own(sources), problems))
        if problems:
            return
        with tempfile.TemporaryDirectory(prefix="mcp-admission-") as scratch:
            tree = written(sources, self.library(), Path(scratch))
            checks = _stage("rego", "check", partial(_authored, tree, partial(checked, tree, opa)))
            yield checks
            if not checks.looked.problems:
                yield from self._of_tests(tree, opa)

    def _of_tests(self, tree: StagedTree, opa: OpaCommand) -> Iterator[Stage]:
        yield _stage("rego", "format", partial(_authored, tree, partial(formatted, tree, opa)))
        tests = _stage("rego", "tests", partial(_authored, tree, partial(tested, tree, opa)))
        yield tests
        if not tests.looked.problems:
            wanted = RequiredCoverage(self.least_coverage, self.own_coverage_is_wished)
            yield _stage("rego", "coverage", partial(_authored, tree, partial(covered, tree, opa, wanted)))

    def _of_environment(self, builder: Builder, source: PolicySource) -> Iterator[Stage]:
        found: list[Content] = []

        def looked() -> CheckedRego:
            content = builder.content(source, self.now)
            if isinstance(content, Problems):
                return CheckedRego("the YAML against the data schemas", content.problems)
            found.append(content)
            return CheckedRego(
                _held(_summary(content)),
                wishes=_wholesale(content),
                details=_recorded(content),
                warnings=content.warnings,
            )

        yield _stage(source.environment, "data", looked)
        for content in found:
            bundle = _stage(source.environment, "bundle", lambda: _rehearsed(builder, content))  # noqa: B023 - runs at once
            yield bundle
            if not bundle.looked.problems:
                yield _stage(source.environment, "scenarios", lambda: self._decided(content))  # noqa: B023 - as above

    def _decided(self, content: Content) -> CheckedRego:
        count = len(list(content.environment.scenarios_placed()))
        return CheckedRego(counted(count, "scenario"), failed(content, OpaCommand(self.opa), self.now))


def _stage(of: str, name: str, look: Callable[[], CheckedRego]) -> Stage:
    began = time.monotonic()
    looked = look()
    return Stage(of=of, name=name, looked=looked, took_s=time.monotonic() - began)


def _authored(tree: StagedTree, look: Callable[[], CheckedRego]) -> CheckedRego:
    """Return the result of a check with the names of the author's files."""
    looked = look()
    problems = [tree.sources.authored(problem) for problem in looked.problems]
    return replace(looked, problems=problems, wishes=[tree.sources.authored(wish) for wish in looked.wishes])


def _own(sources: StagedSources) -> str:
    if sources.is_stock:
        return f"{counted(len(sources.files), 'file')} of the stock library"
    stock = len(sources.files) - len(sources.own)
    return f"{counted(len(sources.own), 'own file')} in addition to {stock} of the stock library"


def _rehearsed(builder: Builder, content: Content) -> CheckedRego:
    return CheckedRego(
        f"{counted(len(content.files), 'file')}, loaded and asked by a real OPA", builder.rehearse(content)
    )


def _wholesale(content: Content) -> list[Problem]:
    """Return the requirements that make a masked journal keep all arguments."""
    said = "reads all arguments, so a masked journal keeps all of them."
    remedy = "Read each argument by its literal name (`input.arguments.to`), not through a variable."
    return [Problem(f"mcp/requirements/{name}", 0, said, remedy) for name in wholesale(content.data)]


def _recorded(content: Content) -> list[str]:
    """Return the parts of a question that a masked journal keeps: for any server, and for servers that differ."""
    reads = content.data["index"]["reads"]
    differing = {name: places for name, places in reads.items() if name == ANY_SERVER or places != reads[ANY_SERVER]}
    return [
        f"a masked journal keeps for {'any server' if name == ANY_SERVER else name}: {', '.join(places) or 'no values'}"
        for name, places in differing.items()
    ]


def _summary(content: Content) -> Summary:
    environment = content.environment
    return Summary(
        environment=environment.name,
        servers=len(environment.catalog),
        agents=len(environment.agent_entries()),
        rules=len(list(environment.rules_placed())),
        scenarios=len(list(environment.scenarios_placed())),
        requirements=len(content.policies.requirements),
        by_kind=sum(_names_kinds(rule) for _, _, rule in environment.rules_placed()),
    )


def _names_kinds(rule: Json) -> bool:
    return any("kinds" in part.get("who", {}) for part in (rule, exception_of(rule)))


def _held(summary: Summary) -> str:
    """Return the counts of an environment in words."""
    counts = {"server": summary.servers, "agent": summary.agents, "rule": summary.rules}
    return ", ".join(counted(count, noun) for noun, count in counts.items())
