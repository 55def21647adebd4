"""What is wrong with a policy directory, in words a person can act on.

Rule 1: a problem says what is wrong, where, and what to do.
Rule 2: problems are collected and shown all at once; one of them is enough to refuse a build.
"""

from msgspec import Struct


class Problem(Struct, frozen=True, order=True):
    """One thing to mend; `line` is 1-based, 0 where the whole file or directory is meant."""

    file: str
    line: int
    what: str
    remedy: str = ""

    @property
    def where(self) -> str:
        """The file, with the line if it is known."""
        return f"{self.file}:{self.line}" if self.line else self.file

    def __str__(self) -> str:
        return f"{self.where}: {self._said}"

    @property
    def _said(self) -> str:
        return self.what + (f" {self.remedy}" if self.remedy else "")

    @property
    def as_warning(self) -> str:
        """The line that reports it where it refuses nothing."""
        return f"{self.where}: warning: {self._said}"


class Problems(Struct, frozen=True):
    """A build that was refused; never empty, sorted by file and line."""

    problems: tuple[Problem, ...]


def refusal(problems: list[Problem]) -> Problems:
    """The problems in the order in which a person mends them, each once."""
    return Problems(tuple(sorted(set(problems))))
