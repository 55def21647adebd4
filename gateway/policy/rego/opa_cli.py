"""Runs the OPA command and reads what it reports.

Rule 1: OPA starts in the directory it is to look at, with a deadline, and with nothing of our environment.
Rule 2: what it reports is JSON or a failure; nothing is read from a report that does not fit.
"""

import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.policy.sources.problem import Problem

DEADLINE_S: Final = 120
_ENVIRONMENT: Final = {"GOGC": "400"}
"""Go's collector mostly rests: a run is short, and takes a quarter less time."""


class OpaRun(Struct, frozen=True):
    """What a run of OPA left: its exit code and its two outputs."""

    code: int
    out: bytes
    err: bytes

    def report(self) -> Any:
        """The JSON that OPA printed; None where it printed none."""
        for text in (self.out, self.err):
            try:
                return msgspec.json.decode(text)
            except msgspec.DecodeError:
                continue
        return None

    def said(self) -> str:
        """The last words of the run, for a problem that nothing better describes."""
        told = (self.err or self.out).decode("utf-8", "replace").strip()
        return told[-2000:] or f"exit code {self.code}"


class OpaCommand(Struct, frozen=True):
    """The OPA binary."""

    path: Path
    deadline_s: float = DEADLINE_S

    def run(self, *arguments: str, within: Path, stdin: bytes = b"") -> OpaRun:
        """The finished run; a run past its deadline counts as one that failed."""
        try:
            done = subprocess.run(  # the arguments are ours, never a client's
                [str(self.path), *arguments],
                cwd=within,
                env=_ENVIRONMENT,
                input=stdin,
                capture_output=True,
                timeout=self.deadline_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return OpaRun(-1, b"", f"opa {arguments[0]} took longer than {self.deadline_s} s".encode())
        except OSError as error:
            return OpaRun(-1, b"", f"OPA does not start: {error}".encode())
        return OpaRun(done.returncode, done.stdout, done.stderr)


class _Location(Struct, frozen=True):
    file: str = ""
    row: int = 0


class _Complaint(Struct, frozen=True):
    message: str
    code: str = ""
    location: _Location = _Location()


class _Complaints(Struct, frozen=True):
    errors: list[_Complaint] = []


def is_evaluation_error(ran: OpaRun) -> bool:
    """Whether OPA ran, and the policy failed on the question."""
    return bool(_told(ran)) and all(each.code.startswith("eval_") for each in _told(ran))


def _told(ran: OpaRun) -> list[_Complaint]:
    try:
        return msgspec.convert(ran.report(), _Complaints).errors
    except msgspec.ValidationError:
        return []


def complaints(ran: OpaRun) -> list[Problem]:
    """The problems that OPA reported, with files as OPA named them; never empty for a run that failed."""
    if ran.code == 0:
        return []
    problems = [Problem(each.location.file, each.location.row, f"{each.message}.") for each in _told(ran)]
    return problems or [Problem("", 0, f"OPA refused: {ran.said()}")]
