"""Sources of the OPA binary: a build with the Go module system, or the project's own release.

Rule 1: a fetched binary is verified against an independent source if there is one. The program always reports which
source that was.
Rule 2: `PINNED` contains only hashes that were computed from a file at hand, never copied ones.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

if TYPE_CHECKING:
    import httpx

RELEASES: Final = "https://github.com/open-policy-agent/opa/releases/download"
MODULE: Final = "github.com/open-policy-agent/opa"
BUILD_SECONDS: Final = 1200
MOST_BYTES: Final = 300_000_000

# Asset names of the releases; only these are static or the platform's normal build.
ASSETS: Final[Mapping[tuple[str, str], str]] = {
    ("linux", "x86_64"): "opa_linux_amd64_static",
    ("linux", "amd64"): "opa_linux_amd64_static",
    ("linux", "aarch64"): "opa_linux_arm64_static",
    ("linux", "arm64"): "opa_linux_arm64_static",
    ("darwin", "x86_64"): "opa_darwin_amd64",
    ("darwin", "arm64"): "opa_darwin_arm64_static",
}
# (version, asset) -> SHA-256, computed by this project from a file that was verified in another way.
PINNED: Final[Mapping[tuple[str, str], str]] = {}

Report = Callable[[str], None]


class Failed(Struct, frozen=True):
    """The reason why a source did not deliver OPA."""

    reason: str


Source = Callable[[Path, Report], Path | Failed]


def go_install(version: str) -> Source:
    """Return a source that builds OPA with Go, whose checksum database verifies the source code."""

    def build(scratch: Path, report: Report) -> Path | Failed:
        go = shutil.which("go")
        if go is None:
            return Failed("Go is not installed")
        report(f"Building OPA {version} with Go, verified by {_vouching(go)}. This takes a minute or two, once.")
        command = [go, "install", "-trimpath", "-ldflags", "-s -w", f"{MODULE}@v{version}"]
        # GOOS and GOARCH of a cross build would put the binary elsewhere and build one that does not run here.
        environment = {name: value for name, value in os.environ.items() if name not in {"GOOS", "GOARCH", "GOFLAGS"}}
        environment |= {"CGO_ENABLED": "0", "GOBIN": str(scratch)}
        return _built(command, environment, scratch)

    return build


def _vouching(go: str) -> str:
    """Return a description of the checksum database that Go uses."""
    said = subprocess.run([go, "env", "GOSUMDB"], capture_output=True, text=True, check=False).stdout.strip()
    return "nothing (Go's checksum database is off: GOSUMDB=off)" if said == "off" else f"the checksum database {said}"


def _built(command: list[str], environment: Mapping[str, str], scratch: Path) -> Path | Failed:
    try:
        ended = subprocess.run(
            command,
            env=dict(environment),
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        return Failed(f"`go install` failed: {problem}")
    built = scratch / "opa"
    if ended.returncode == 0 and built.is_file():
        return built
    last = (ended.stderr.strip().splitlines() or ["it printed no error"])[-1]
    return Failed(f"`go install {command[-1]}` exited with code {ended.returncode}: {last}")


def release(version: str, releases: str = RELEASES, pinned: Mapping[tuple[str, str], str] = PINNED) -> Source:
    """Return a source that downloads the project's release for this machine and verifies its SHA-256."""

    def download(scratch: Path, report: Report) -> Path | Failed:
        import httpx  # noqa: PLC0415 - only a download needs it, and each supervisor would keep it loaded

        machine = (platform.system().lower(), platform.machine().lower())
        asset = ASSETS.get(machine)
        if asset is None:
            return Failed(f"OPA has no release for {'/'.join(machine)}")
        address = f"{releases}/v{version}/{asset}"
        report(f"Downloading OPA {version} from {address}.")
        try:
            with httpx.Client(follow_redirects=True, timeout=60) as client:
                wanted, vouching = _wanted(client, address, pinned.get((version, asset)))
                target = scratch / asset
                computed = _saved(client, address, target)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as problem:
            return Failed(f"{address} could not be downloaded: {problem}")
        if computed != wanted:
            return Failed(f"{address} has SHA-256 {computed}, but {vouching} has {wanted}: the file was deleted")
        report(f"OPA {version} is verified against {vouching}: SHA-256 {computed}.")
        target.chmod(0o755)
        return target

    return download


def _wanted(client: "httpx.Client", address: str, pinned: str | None) -> tuple[str, str]:
    """Return the expected SHA-256 and its origin."""
    if pinned:
        return pinned, "the hash pinned in this program"
    answer = client.get(f"{address}.sha256").raise_for_status()
    hexadecimal = re.match(r"([0-9a-f]{64})\b", answer.text.strip().lower())
    if hexadecimal is None:
        raise ValueError(f"{address}.sha256 does not contain a SHA-256")
    return hexadecimal[1], "the release's own checksum file (no hash is pinned for it yet)"


def _saved(client: "httpx.Client", address: str, target: Path) -> str:
    """Write the body to the target and return its SHA-256. Refuse a body larger than `MOST_BYTES`."""
    digest, size = hashlib.sha256(), 0
    with client.stream("GET", address) as answer, target.open("wb") as file:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            size += len(chunk)
            if size > MOST_BYTES:
                raise ValueError(f"it is larger than {MOST_BYTES} bytes")
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()
