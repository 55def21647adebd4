"""Find own data that requirements read and that an environment does not have.

Rule 1: missing data is a warning. A requirement that needs it denies, and one that would permit without it is refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

from gateway.policy.rego.staged_requirements import Requirement
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem

_OWN: Final = "data.own."


def missing_own_data(environment: Environment, requirements: Mapping[str, Requirement]) -> Iterator[Problem]:
    """Yield a warning for each missing document of `data/` that a requirement reads."""
    known = {PurePosixPath(document.file).stem for document in environment.own}
    readers: dict[str, list[str]] = {}
    for requirement, described in requirements.items():
        named = {read.removeprefix(_OWN).split(".")[0] for read in described.reads if read.startswith(_OWN)}
        for name in named - known:
            readers.setdefault(name, []).append(requirement)
    for name, reading in sorted(readers.items()):
        file = f"bundles/{environment.name}/data/{name}.yaml"
        listed = ", ".join(f"`{each}`" for each in sorted(reading))
        what = f"is missing, but {listed} read{'s' if len(reading) == 1 else ''} `data.own.{name}`."
        yield Problem(file, 0, what, "Add the file, or correct the name in the requirement.")
