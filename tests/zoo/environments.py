"""The environments of entries: installed once from their locks, hash-checked, and kept by the digest of the lock.

Rule 1: an environment is complete or it is not there: its marker is written last.
Rule 2: installation runs no script of a package, except what builds a Rust crate.
Rule 3: what cannot be installed raises `InstallationError` with what the installer printed.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from hashlib import sha256
from pathlib import Path
from typing import Final

from msgspec import Struct

from tests.environment import ROOT
from tests.zoo.entry import PROGRAMS, Ecosystem

KEPT: Final = ROOT / ".state/zoo/environments"
_PATIENCE_S: Final = 1_200
_LOCKS: Final = (
    *("requirements.txt", "package-lock.json", "package.json", "go.mod", "go.sum", "main.go"),
    *("Cargo.toml", "Cargo.lock", "src/main.rs", "pom.xml", "checksums.txt", "src/Server.java"),
)
NODE: Final = ROOT / "tests/node/node_modules/.bin/node"
NEEDS: Final[Mapping[Ecosystem, tuple[str, ...]]] = {
    "python": (),
    "node": ("node",),
    "go": ("go",),
    "rust": ("cargo",),
    "java": ("mvn",),
}
"""What an ecosystem needs of a machine; names of `tests.environment.NEEDS`."""


class InstallationError(Exception):
    """An environment that could not be installed; says what the installer printed."""


class Environment(Struct, frozen=True):
    """An installed environment: the directory that `{environment}` stands for, and all placeholders."""

    placeholders: Mapping[str, str]

    def command(self, parts: tuple[str, ...], **more: str) -> list[str]:
        """Return a command with its placeholders replaced."""
        return [part.format(**self.placeholders, **more) for part in parts]


def installed(entry: Path, kept: Path = KEPT) -> Environment:
    """Return the environment of an entry's directory; installs it if it is not there."""
    digest = _digest(entry)
    directory = kept / f"{entry.name}-{digest}"
    with _locked(kept / f"{entry.name}.lock"):
        if not (directory / ".complete").exists():
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
            for lock, install in _INSTALLERS.items():
                if (entry / lock).exists():
                    install(entry, directory)
            (directory / ".complete").touch()
    python, modules = directory / "python", directory / "node"
    return Environment(
        {
            "python": str(python / "bin/python") if python.exists() else sys.executable,
            "environment": str(next((one for one in (python, modules) if one.exists()), directory)),
            "node_modules": str(modules / "node_modules"),
            "node": str(NODE),
            "programs": str(PROGRAMS),
            "entry": str(entry),
        }
    )


def _digest(entry: Path) -> str:
    found = sha256()
    for name in _LOCKS:
        if (entry / name).exists():
            found.update(name.encode() + b"\0" + (entry / name).read_bytes() + b"\0")
    return found.hexdigest()[:16]


@contextmanager
def _locked(path: Path) -> Generator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        flock(file, LOCK_EX)
        yield


def _run(command: list[str | Path], directory: Path, **environment: str) -> None:
    try:
        ended = subprocess.run(
            list(map(str, command)),
            cwd=directory,
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InstallationError(f"{' '.join(map(str, command))}: {error}") from error
    if ended.returncode:
        raise InstallationError(f"{' '.join(map(str, command))} in {directory}:\n{ended.stdout}{ended.stderr}"[-4_000:])


def _python(entry: Path, directory: Path) -> None:
    uv, python = Path(sys.executable).with_name("uv"), directory / "python"
    _run([uv, "venv", "--quiet", "--python", sys.executable, python], directory)
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:", "--python", python / "bin/python"]
    _run([uv, "pip", "install", *options, "-r", entry / "requirements.txt"], directory)


def _node(entry: Path, directory: Path) -> None:
    modules = directory / "node"
    modules.mkdir()
    for name in ("package.json", "package-lock.json"):
        shutil.copy(entry / name, modules / name)
    path = os.pathsep.join((str(NODE.parent), os.environ.get("PATH", "")))
    _run(["npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund"], modules, PATH=path)


def _go(entry: Path, directory: Path) -> None:
    name = "client" if entry.parent.name == "clients" else "server"
    _run(["go", "build", "-mod=readonly", "-trimpath", "-o", directory / name, "."], entry, GOFLAGS="", GOWORK="off")


def _rust(entry: Path, directory: Path) -> None:
    name = "client" if entry.parent.name == "clients" else "server"
    project, target = directory / "project", directory / "target"
    shutil.copytree(entry, project)
    write_crate_sources(project, (entry / "Cargo.lock").read_text(encoding="utf-8"))
    _run(["cargo", "build", "--quiet", "--locked", "--target-dir", target], project, CARGO_INCREMENTAL="0")
    shutil.copy(target / "debug" / name, directory / name)
    shutil.rmtree(target)


def write_crate_sources(project: Path, lock: str) -> None:
    """Write the lock file of a Rust project with the source of its crates, as Cargo on this machine names it.

    Locks in this repository are without addresses; the checksums pin what is downloaded.
    """
    (project / "Cargo.lock").unlink(missing_ok=True)
    _run(["cargo", "generate-lockfile", "--quiet"], project)
    own = (project / "Cargo.lock").read_text(encoding="utf-8").splitlines()
    source = next(line for line in own if line.startswith("source = "))
    (project / "Cargo.lock").write_text(lock.replace("\nchecksum = ", f"\n{source}\nchecksum = "), encoding="utf-8")


def without_crate_sources(lock: str) -> str:
    """Return a lock file of Cargo without the source of its crates."""
    return "".join(line for line in lock.splitlines(keepends=True) if not line.startswith("source = "))


def _java(entry: Path, directory: Path) -> None:
    libraries = directory / "lib"
    copy_jars(entry, libraries)
    wanted = (entry / "checksums.txt").read_text(encoding="utf-8").splitlines()
    wrong = "\n".join(sorted(set(wanted) ^ set(jar_checksums(libraries))))
    if wrong:
        raise InstallationError(f"{entry}: the libraries from Maven are not those of checksums.txt:\n{wrong}")
    options = ["-proc:none", "-cp", f"{libraries}/*", "-d", directory / "classes"]
    _run(["javac", *options, entry / "src/Server.java"], directory)


def copy_jars(entry: Path, libraries: Path) -> None:
    """Copy the libraries of a Java project, and those that they need, into a directory."""
    plugin = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
    options = ["--batch-mode", "--quiet", "--strict-checksums", f"-DoutputDirectory={libraries}"]
    _run(["mvn", *options, plugin], entry)


def jar_checksums(libraries: Path) -> list[str]:
    """Return one line for each library, with the SHA-256 of its file, as `sha256sum` prints it."""
    return [f"{sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in sorted(libraries.iterdir())]


_INSTALLERS: Final[Mapping[str, Callable[[Path, Path], None]]] = {
    "requirements.txt": _python,
    "package-lock.json": _node,
    "go.mod": _go,
    "Cargo.lock": _rust,
    "checksums.txt": _java,
}
"""How each lock file of an entry is installed; an entry with two has both."""
