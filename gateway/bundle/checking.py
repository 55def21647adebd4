"""Checks a policy repository whole: what CI does before a bundle may be published.

Rule 1: every environment is built as it would be published, loaded by a real OPA, and its scenarios are decided.
Rule 2: all problems of all environments are told together, each once.
"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from gateway.bundle.build import Builder, Content, PolicySource
from gateway.bundle.problem import Problem, Problems
from gateway.bundle.quality import shortcomings
from gateway.bundle.scenarios import failed
from gateway.bundle.tool import Opa
from gateway.library import library


class Summary(Struct, frozen=True, kw_only=True):
    """What an environment holds, for a person who wants to see that it was looked at."""

    environment: str
    servers: int
    agents: int
    rules: int
    scenarios: int
    requirements: int


class Checked(Struct, frozen=True):
    """The environments that are in order, and all problems."""

    summaries: tuple[Summary, ...]
    problems: tuple[Problem, ...]


def environments(policy: Path) -> list[str]:
    """The environments of a policy repository."""
    root = policy / "bundles"
    return sorted(place.name for place in root.iterdir() if _is_environment(place)) if root.is_dir() else []


def _is_environment(place: Path) -> bool:
    return place.is_dir() and not place.name.startswith(".")


class Checking(Struct, frozen=True, kw_only=True):
    """How to check: with which OPA, where to remember what was verified, as of when, and what tests must reach."""

    opa: Path
    state: Path
    now: float
    least_coverage: float
    stock: Path | None = None

    def check(self, policy: Path, names: Sequence[str]) -> Checked:
        """The result for these environments of a policy repository."""
        stock = self.stock or library()
        builder = Builder(self.state, self.opa, stock=stock)
        results = {name: self._checked(builder, PolicySource(policy, name)) for name in names}
        problems = {problem for _, found in results.values() for problem in found}
        if any(content is not None for content, _ in results.values()):
            problems |= set(shortcomings(policy, stock, Opa(self.opa), least=self.least_coverage))
        summaries = [_summary(content) for content, found in results.values() if content is not None and not found]
        return Checked(tuple(summaries), tuple(sorted(problems)))

    def _checked(self, builder: Builder, source: PolicySource) -> tuple[Content | None, list[Problem]]:
        content = builder.content(source, self.now)
        if isinstance(content, Problems):
            return None, list(content.problems)
        unloadable = builder.rehearse(content)
        return content, unloadable or failed(content, Opa(self.opa), self.now)


def _summary(content: Content) -> Summary:
    environment = content.environment
    return Summary(
        environment=environment.name,
        servers=len(environment.catalog),
        agents=len(environment.agent_entries()),
        rules=len(list(environment.rules_placed())),
        scenarios=len(list(environment.scenarios_placed())),
        requirements=len(content.policies.requirements),
    )
