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

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.what}" + (f" {self.remedy}" if self.remedy else "")


class Problems(Struct, frozen=True):
    """A build that was refused; never empty, sorted by file and line."""

    problems: tuple[Problem, ...]


def refusal(problems: list[Problem]) -> Problems:
    """The problems in the order in which a person mends them, each once."""
    return Problems(tuple(sorted(set(problems))))
