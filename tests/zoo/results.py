"""What a run of this directory found, kept as one file a run for the table in the docs."""

import json
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from tests.environment import ROOT
from tests.zoo.entry import Entry

KEPT: Final = ROOT / ".state/zoo/results"


class Result(Struct, frozen=True, kw_only=True):
    """One row of the table: steps that are equal of those that were done, and what differs with its reason."""

    kind: Literal["server", "client", "fixture"]
    name: str
    title: str
    package: str
    version: str
    """The locked version; of a fixture the date of its newest source."""
    done: int = 0
    equal: int = 0
    differences: dict[str, str] = {}
    problem: str = ""
    """Why it failed or could not be installed; empty if it passed."""


def keep(result: Result, kept: Path = KEPT) -> None:
    """Write a result over an earlier one of the same run."""
    kept.mkdir(parents=True, exist_ok=True)
    (kept / f"{result.kind}-{result.name}.json").write_bytes(msgspec.json.encode(result))


def results(kept: Path = KEPT) -> list[Result]:
    """Return all kept results, ordered by kind and name."""
    return [msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(kept.glob("*.json"))]


def version(directory: Path, entry: Entry) -> str:
    """Return the version of the entry's package in its lock; raises `ValueError` if the lock does not have it."""
    for name, read in _LOCKS.items():
        path = directory / name
        if path.exists() and (found := read(path.read_text(encoding="utf-8"), entry.package)):
            return found
    raise ValueError(f"{directory}: no lock has the package {entry.package}")


def _requirements(text: str, package: str) -> str:
    pins = (line.split(";")[0].split()[0].partition("==") for line in text.splitlines() if "==" in line)
    return next((pinned for name, _, pinned in pins if name.split("[")[0] == package), "")


def _npm(text: str, package: str) -> str:
    return str(json.loads(text)["packages"].get(f"node_modules/{package}", {}).get("version", ""))


def _go(text: str, package: str) -> str:
    words = (line.removeprefix("require ").split() for line in text.splitlines())
    return next((found[1].removeprefix("v") for found in words if len(found) > 1 and found[0] == package), "")


def _cargo(text: str, package: str) -> str:
    lines = text.splitlines()
    at = next((number for number, line in enumerate(lines) if line == f'name = "{package}"'), None)
    return lines[at + 1].split('"')[1] if at is not None else ""


def _jar(text: str, package: str) -> str:
    start = f"{package.rpartition(':')[2]}-"
    names = (line.split()[1].removesuffix(".jar") for line in text.splitlines())
    versions = (name.removeprefix(start) for name in names if name.startswith(start))
    return next((found for found in versions if found[0].isdigit()), "")


_LOCKS: Final = {
    "requirements.txt": _requirements,
    "package-lock.json": _npm,
    "go.mod": _go,
    "Cargo.lock": _cargo,
    "checksums.txt": _jar,
}
