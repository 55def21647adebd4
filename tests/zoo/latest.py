"""Run the zoo with the newest versions that the requirements of each entry permit, and report what changed.

    python -m tests.zoo.latest

Rule 1: the entries of this repository are not changed; copies get new locks.
Rule 2: an entry whose lock cannot be renewed is in the report and fails, as one that differs does.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from tests.environment import ROOT
from tests.zoo.entry import ENTRIES, Entry, clients, runs
from tests.zoo.environments import NODE, InstallationError, copy_jars, jar_checksums, without_crate_sources
from tests.zoo.results import KEPT, Result, results, version

COPIES: Final = ROOT / ".state/zoo/latest/entries"
REPORT: Final = ROOT / ".state/zoo/latest/report.md"
_PATIENCE_S: Final = 600
_UV: Final = Path(sys.executable).with_name("uv")
_COMPILE: Final = ("--quiet", "--universal", "--python-version", "3.11", "--generate-hashes", "--no-emit-index-url")


def main() -> int:
    """Renew all locks, run all entries, write the report; returns 1 if anything differs, failed, or has no result."""
    before = _versions(ROOT / "tests/zoo")
    shutil.rmtree(COPIES, ignore_errors=True)
    for kind in ("servers", "clients"):
        shutil.copytree(ROOT / "tests/zoo" / kind, COPIES / kind)
    failed = {path.name: problem for path in _entries() if (problem := renewed(path))}
    shutil.rmtree(KEPT, ignore_errors=True)
    command = [sys.executable, "-m", "pytest", "-q", "tests/zoo"]
    ended = subprocess.run(command, cwd=ROOT, env={**os.environ, ENTRIES: str(COPIES)}, check=False)
    text = report(before, _versions(COPIES), results(), failed)
    REPORT.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201 - the report is what this program is for
    return 1 if ended.returncode or failed else 0


def report(before: Mapping[str, str], after: Mapping[str, str], found: list[Result], failed: Mapping[str, str]) -> str:
    """Return what changed, as Markdown: new versions, and what failed or differs with them."""
    changed = [f"| {name} | {old} | {after[name]} |" for name, old in before.items() if after.get(name, old) != old]
    lines = ["# The zoo with the newest versions", "", f"{len(changed)} of {len(before)} entries have a newer version."]
    if changed:
        lines += ["", "| entry | pinned | newest |", "|---|---|---|", *changed]
    wrong = [*failed.items(), *((one.name, one.problem) for one in found if one.problem)]
    lines += ["", f"{len(wrong)} failures."]
    for name, problem in wrong:
        lines += ["", f"## {name}", "", "```", problem.replace("```", "'''"), "```"]
    return "\n".join(lines) + "\n"


def renewed(directory: Path) -> str:
    """Renew the locks of an entry; return why that failed, or nothing."""
    for lock, renew in _RENEW.items():
        if (directory / lock).exists():
            try:
                renew(directory)
            except (OSError, subprocess.SubprocessError, InstallationError) as error:
                printed = error.stderr if isinstance(error, subprocess.CalledProcessError) else ""
                return f"the lock could not be renewed: {error}\n{printed or ''}"[:4_000]
    return ""


def _entries() -> list[Path]:
    return sorted(path.parent for path in COPIES.glob("*/*/entry.toml"))


def _versions(root: Path) -> dict[str, str]:
    entries: dict[Path, Entry] = {run.directory: run.entry for run in runs(root / "servers")}
    entries |= dict(clients(root / "clients"))
    return {directory.name: version(directory, entry) for directory, entry in entries.items()}


def _run(directory: Path, *command: str | Path) -> None:
    path = os.pathsep.join((str(NODE.parent), os.environ.get("PATH", "")))
    subprocess.run(
        list(map(str, command)),
        cwd=directory,
        env={**os.environ, "PATH": path, "GOFLAGS": "-mod=mod", "GOWORK": "off"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=True,
    )


def _python(directory: Path) -> None:
    _run(directory, _UV, "pip", "compile", *_COMPILE, "--upgrade", "requirements.in", "-o", "requirements.txt")


def _node(directory: Path) -> None:
    path = directory / "package.json"
    package: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for kind in ("dependencies", "optionalDependencies"):
        package[kind] = {name: compatible(pinned) for name, pinned in package.get(kind, {}).items()}
    path.write_text(json.dumps(package), encoding="utf-8")
    (directory / "package-lock.json").unlink()
    options = ("--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund")
    _run(directory, "npm", "install", *options, "--omit-lockfile-registry-resolved=true")


def compatible(pinned: str) -> str:
    """Return the range of npm versions that may replace a pinned one: its major version; a prerelease stays."""
    plain = re.fullmatch(r"\d+\.\d+\.\d+", pinned)
    return f"^{pinned}" if plain else pinned


def _go(directory: Path) -> None:
    _run(directory, "go", "get", "-u", ".")
    _run(directory, "go", "mod", "tidy")


def _rust(directory: Path) -> None:
    (directory / "Cargo.lock").unlink()
    _run(directory, "cargo", "generate-lockfile")
    lock = (directory / "Cargo.lock").read_text(encoding="utf-8")
    (directory / "Cargo.lock").write_text(without_crate_sources(lock), encoding="utf-8")


def _java(directory: Path) -> None:
    plugin = "org.codehaus.mojo:versions-maven-plugin:2.18.0:use-latest-releases"
    options = ("--batch-mode", "--quiet", "-DallowMajorUpdates=false", "-DgenerateBackupPoms=false")
    _run(directory, "mvn", *options, "-Dmaven.version.ignore=(?i).*[.-](alpha|beta|rc|m).*", plugin)
    libraries = directory / "lib"
    copy_jars(directory, libraries)
    (directory / "checksums.txt").write_text("\n".join(jar_checksums(libraries)) + "\n", encoding="utf-8")
    shutil.rmtree(libraries)


_RENEW: Final[Mapping[str, Callable[[Path], None]]] = {
    "requirements.txt": _python,
    "package-lock.json": _node,
    "go.mod": _go,
    "Cargo.lock": _rust,
    "checksums.txt": _java,
}

if __name__ == "__main__":
    sys.exit(main())
