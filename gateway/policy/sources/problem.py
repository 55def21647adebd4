"""Problems of a policy directory, worded so that a person can fix them.

Rule 1: a problem says what is wrong, where, and what to do.
Rule 2: all problems are collected and shown together. A single problem refuses the build.
"""

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    """One thing to fix; `line` is 1-based, or 0 for the whole file or directory."""

    file: str
    line: int
    what: str
    remedy: str = ""

    @property
    def where(self) -> str:
        """The file, and the line if it is known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.where}: {self._said}"

    @property
    def _said(self) -> str:
        return self.what + (f" {self.remedy}" if self.remedy else "")

    @property
    def as_warning(self) -> str:
        """The line that reports the problem as a warning."""
        return f"{self.where}: warning: {self._said}"


class Problems(Struct, frozen=True):
    """The problems of a refused build; never empty, sorted by file and line."""

    problems: tuple[Problem, ...]


def refusal(problems: list[Problem]) -> Problems:
    """Return the problems sorted by file and line, without duplicates."""
    return Problems(tuple(sorted(set(problems))))
