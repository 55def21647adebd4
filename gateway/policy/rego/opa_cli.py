"""Run the OPA command and parse its reports.

Rule 1: OPA starts in the directory that it reads, with a deadline, and without the environment of this process.
Rule 2: a report is valid JSON or a failure. A report of another form is not used.
"""

import subprocess
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from gateway.policy.sources.problem import Problem

DEADLINE_S: Final = 120
_ENVIRONMENT: Final = {"GOGC": "400"}
"""Go's garbage collector runs rarely: runs are short, and this makes them a quarter faster."""


class OpaRun(Struct, frozen=True):
    """The result of a run of OPA: its exit code and its two outputs."""

    code: int
    out: bytes
    err: bytes

    def report(self) -> Any:
        """Return the JSON that OPA printed; None if it did not print JSON."""
        for text in (self.out, self.err):
            try:
                return msgspec.json.decode(text)
            except msgspec.DecodeError:
                continue
        return None

    def said(self) -> str:
        """Return the end of the output, for a problem without a better description."""
        text = (self.err or self.out).decode("utf-8", "replace").strip()
        return text[-2000:] or f"exit code {self.code}"


class OpaCommand(Struct, frozen=True):
    """The OPA binary."""

    path: Path
    deadline_s: float = DEADLINE_S

    def run(self, *arguments: str, within: Path, stdin: bytes = b"") -> OpaRun:
        """Run OPA and return the finished run; a run past its deadline counts as failed."""
        try:
            done = subprocess.run(  # the arguments come from this code, never from a client
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
            return OpaRun(-1, b"", f"OPA did not start: {error}".encode())
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
    """Return whether OPA ran and the policy failed to evaluate."""
    return bool(_told(ran)) and all(each.code.startswith("eval_") for each in _told(ran))


def _told(ran: OpaRun) -> list[_Complaint]:
    try:
        return msgspec.convert(ran.report(), _Complaints).errors
    except msgspec.ValidationError:
        return []


def complaints(ran: OpaRun) -> list[Problem]:
    """Return the problems that OPA reported, with OPA's names of the files; never empty for a failed run."""
    if ran.code == 0:
        return []
    problems = [Problem(each.location.file, each.location.row, f"{each.message}.") for each in _told(ran)]
    return problems or [Problem("", 0, f"OPA failed: {ran.said()}")]
