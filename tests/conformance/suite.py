"""A run of the official conformance suite against a server, check by check.

Rule 1: a check is named by its scenario, id, name and how often it came before; only notes are left out, no verdict.
Rule 2: what is scored says the suite's own frozen list for the revision, not we.
"""

import asyncio
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from ruamel.yaml import YAML

from tests.environment import ROOT

NODE: Final = ROOT / "tests" / "node" / "node_modules"
PACKAGE: Final = NODE / "@modelcontextprotocol" / "conformance"
DEADLINE_S: Final = 240
PATIENCE: Final = ("--timeout", "60000")
"""Milliseconds for one scenario; a busy machine takes its time to start a client."""
_STAMP: Final = re.compile(r"^(?:server-)?(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$")
_PASSED: Final = "SUCCESS"
_FAILED: Final = frozenset({"FAILURE", "WARNING"})
_NOTED: Final = "INFO"
"""What the suite writes down without judging it."""
CLIENT: Final = f"{sys.executable} -m tests.conformance.client"


class Check(Struct, frozen=True, order=True):
    """One check of a scenario; `times` tells apart those that a scenario makes again."""

    scenario: str
    id: str
    name: str
    times: int


class Run(Struct, frozen=True):
    """What the suite found: the status of every check, why those failed that did, and how the suite ended."""

    checks: Mapping[Check, str]
    complaints: Mapping[Check, str]
    code: int
    said: str

    def passed(self, scenarios: Iterable[str]) -> int:
        """Return how many checks of these scenarios passed."""
        wanted = set(scenarios)
        return sum(status == _PASSED and check.scenario in wanted for check, status in self.checks.items())

    def failed(self, scenarios: Iterable[str]) -> list[Check]:
        """Return the checks of these scenarios that failed or warned."""
        wanted = set(scenarios)
        return [check for check, status in self.checks.items() if check.scenario in wanted and status in _FAILED]

    @property
    def scenarios(self) -> frozenset[str]:
        """All scenarios that made a check."""
        return frozenset(check.scenario for check in self.checks)


def scored(requirements: str, leg: str = "server") -> frozenset[str]:
    """Return the scenarios that a server, or a client, must pass to conform to a revision."""
    return frozenset(_required(requirements)[leg])


def client_scenarios(requirements: str) -> list[str]:
    """Return all that the suite has for clients of a revision, but what needs an authorization server of its own."""
    required = _required(requirements)
    more = [entry["scenario"] for entry in required["not_scored"] if entry["leg"] == "client"]
    return [scenario for scenario in (*required["client"], *more) if not scenario.startswith("auth/")]


def _required(requirements: str) -> dict[str, Any]:
    path = PACKAGE / "requirements" / f"{requirements}.yaml"
    return dict(YAML(typ="safe").load(path.read_bytes()))  # pyright: ignore[reportUnknownMemberType] - ruamel has no types


async def run(url: str, requirements: str, directory: Path) -> Run:
    """Run all that the suite has for servers of a revision against `url`; its results stay in `directory`."""
    code, said = await _suite(["server", "--url", url, "--requirements", requirements, "-o", str(directory)])
    return _read(directory, code, said)


async def run_client(requirements: str, directory: Path, through: Mapping[str, str]) -> Run:
    """Run our client in all scenarios of a revision, with the variables `through`; the results stay in `directory`."""
    code, said = 0, ""
    for scenario in client_scenarios(requirements):
        options = ["--scenario", scenario, "--spec-version", requirements, "-o", str(directory)]
        ended, told = await _suite(["client", "--command", CLIENT, *options], through)
        code, said = max(code, ended), said + told
    return _read(directory, code, said)


async def _suite(options: list[str], more: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run the suite, and return its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        str(NODE / ".bin" / "node"),
        str(PACKAGE / "dist" / "index.js"),
        *options,
        *PATIENCE,
        cwd=ROOT,
        env={**os.environ, **(more or {})},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), DEADLINE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode(errors="replace")


def _read(directory: Path, code: int, said: str) -> Run:
    checks: dict[Check, str] = {}
    complaints: dict[Check, str] = {}
    for path in sorted(directory.glob("*/checks.json")):
        stamped = _STAMP.match(path.parent.name)
        assert stamped, f"the suite wrote {path.parent.name}, which names no scenario"
        seen: Counter[tuple[str, str]] = Counter()
        for made in json.loads(path.read_bytes()):
            if made["status"] == _NOTED:
                continue
            named = (made["id"], made["name"])
            seen[named] += 1
            check = Check(stamped[1], *named, seen[named])
            checks[check] = made["status"]
            complaints[check] = made.get("errorMessage") or ""
    return Run(checks, complaints, code, said)


def differences(direct: Run, gateway: Run) -> list[str]:
    """Return every check that is not the same on both ways, in words; none when a gateway changes nothing."""
    found: list[str] = []
    for check in sorted({*direct.checks, *gateway.checks}):
        before, after = direct.checks.get(check, "absent"), gateway.checks.get(check, "absent")
        if before != after:
            why = gateway.complaints.get(check) or direct.complaints.get(check, "")
            found.append(f"{check.scenario}: {check.id} ({check.name}): {before} directly, {after} through: {why}")
    return found


def columns(title: str, wanted: frozenset[str], direct: Run, gateway: Run) -> str:
    """Return a table of both ways: checks passed and failed by scenario; those not `wanted` are in brackets."""
    lines = [f"{title:48}{'direct':>12}{'gateway':>12}"]
    for scenario in sorted({*direct.scenarios, *gateway.scenarios}, key=lambda each: (each not in wanted, each)):
        name = scenario if scenario in wanted else f"({scenario})"
        lines.append(f"{name:48}{_tally(direct, {scenario}):>12}{_tally(gateway, {scenario}):>12}")
    lines.append(f"{'scored':48}{_tally(direct, wanted):>12}{_tally(gateway, wanted):>12}")
    lines.append(f"{'all':48}{_tally(direct, direct.scenarios):>12}{_tally(gateway, gateway.scenarios):>12}")
    return "\n".join(lines)


def _tally(run: Run, scenarios: Iterable[str]) -> str:
    wanted = set(scenarios)
    return f"{run.passed(wanted)}/{len(run.failed(wanted))}"
