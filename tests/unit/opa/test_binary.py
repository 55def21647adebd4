import hashlib
import multiprocessing
import os
import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gateway.opa import binary_sources
from gateway.opa.binary import NAME, VERSION, Unobtainable, find, obtain, refusal, version

ASSET = binary_sources.ASSETS[platform.system().lower(), platform.machine().lower()]
SAYS = "#!/bin/sh\necho 'Version: {}'\n"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is the standard library's
        del format, args


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A release as the project publishes it: the asset and its checksum file."""
    directory = tmp_path / "site" / f"v{VERSION}"
    directory.mkdir(parents=True)
    body = SAYS.format(VERSION).encode()
    (directory / ASSET).write_bytes(body)
    (directory / f"{ASSET}.sha256").write_text(f"{hashlib.sha256(body).hexdigest()}  {ASSET}\n")
    return directory


@pytest.fixture
def releases(site: Path) -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site.parent))) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with an empty tool directory, and nothing on PATH but a shell's own programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setenv("MCP_ADMISSION_TOOLS", str(tmp_path / "tools"))
    return programs


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_binary_counts_only_at_the_pinned_version(bare: Path) -> None:
    program(bare / "opa", SAYS.format("1.21.9"))
    assert find() is None
    program(bare / "opa", SAYS.format(VERSION))
    assert find() == bare / "opa"


def test_a_binary_in_the_tool_directory_is_found(bare: Path, tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    kept = program(tmp_path / "tools" / NAME, SAYS.format(VERSION))
    assert find() == kept


@pytest.mark.parametrize("text", ["", "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho hello\n", "#!/no/such/shell\n"])
def test_a_program_that_reports_no_version_has_none(tmp_path: Path, text: str) -> None:
    assert version(program(tmp_path / "opa", text)) is None


@pytest.mark.parametrize("named", ["1.21.3", VERSION, "1.22.0+build", "2.0.0"])
def test_a_sound_version_is_not_refused(named: str) -> None:
    assert refusal(named) is None


@pytest.mark.parametrize("named", ["1.21.2", "1.9.0", "0.70.0", "1.22", "1.22.0-dev", "", None])
def test_an_old_or_unknown_version_is_refused_with_a_remedy(named: str | None) -> None:
    assert VERSION in str(refusal(named))


def test_the_release_is_fetched_verified_and_kept(bare: Path, tmp_path: Path, releases: str) -> None:
    told: list[str] = []
    path = obtain(told.append, releases=releases)
    assert path == tmp_path / "tools" / NAME
    assert version(path) == VERSION
    assert any("the release's own checksum file" in line for line in told)
    assert sorted(entry.name for entry in (tmp_path / "tools").iterdir()) == [NAME, "opa.lock"]


def test_a_stored_binary_is_not_fetched_again(bare: Path, releases: str, site: Path) -> None:
    first = obtain(print, releases=releases)
    shutil.rmtree(site)
    assert obtain(pytest.fail, releases=releases) == first


def test_a_release_that_does_not_match_its_checksum_is_deleted(
    bare: Path, tmp_path: Path, releases: str, site: Path
) -> None:
    (site / ASSET).write_text(SAYS.format(VERSION) + "# changed on the way\n")
    with pytest.raises(Unobtainable, match="the file was deleted"):
        obtain(print, releases=releases)
    assert not (tmp_path / "tools" / NAME).exists()


@pytest.mark.parametrize("checksums", ["", "not found\n", "abc\n"])
def test_a_release_without_a_checksum_is_not_used(bare: Path, releases: str, site: Path, checksums: str) -> None:
    (site / f"{ASSET}.sha256").write_text(checksums)
    with pytest.raises(Unobtainable, match="does not contain a SHA-256"):
        obtain(print, releases=releases)


def test_a_release_of_another_version_is_not_kept(bare: Path, tmp_path: Path, releases: str, site: Path) -> None:
    body = SAYS.format("1.21.0")
    (site / ASSET).write_text(body)
    (site / f"{ASSET}.sha256").write_text(hashlib.sha256(body.encode()).hexdigest())
    with pytest.raises(Unobtainable, match=r"reports version .1\.21\.0"):
        obtain(print, releases=releases)
    assert not (tmp_path / "tools" / NAME).exists()


def test_a_pinned_hash_beats_the_releases_own(tmp_path: Path, releases: str) -> None:
    fetch = binary_sources.release(VERSION, releases, pinned={(VERSION, ASSET): "0" * 64})
    failed = fetch(tmp_path, print)
    assert isinstance(failed, binary_sources.Failed)
    assert "the hash pinned in this program has 0000" in failed.reason


def test_a_failed_download_reports_the_attempts_and_a_remedy(bare: Path) -> None:
    with pytest.raises(Unobtainable) as raised:
        obtain(print, releases="http://127.0.0.1:1")
    said = str(raised.value)
    assert "Go is not installed" in said
    assert "could not be downloaded" in said
    assert f"Put an `opa` of version {VERSION} on PATH" in said


def test_go_builds_the_pinned_module_without_the_callers_go_settings(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = f"""#!{sys.executable}
import os, pathlib, sys
if sys.argv[1] == "env":
    print("sum.example")
else:
    assert sys.argv[1:] == ["install", "-trimpath", "-ldflags", "-s -w", "{binary_sources.MODULE}@v{VERSION}"], sys.argv
    assert os.environ["CGO_ENABLED"] == "0" and not set(os.environ) & {{"GOFLAGS", "GOOS", "GOARCH"}}
    built = pathlib.Path(os.environ["GOBIN"], "opa")
    built.write_text("#!/bin/sh\\necho 'Version: {VERSION}'\\n")
    built.chmod(0o755)
"""
    program(bare / "go", go)
    monkeypatch.setenv("GOFLAGS", "-insecure")
    monkeypatch.setenv("GOOS", "plan9")
    told: list[str] = []
    assert obtain(told.append, releases="http://127.0.0.1:1") == tmp_path / "tools" / NAME
    assert "verified by the checksum database sum.example" in told[0]


def test_a_failed_build_gives_way_to_the_release(bare: Path, releases: str) -> None:
    program(bare / "go", "#!/bin/sh\necho 'module lookup disabled' >&2\nexit 1\n")
    assert version(obtain(print, releases=releases)) == VERSION


def _obtain_and_count(releases: str, counts: "multiprocessing.SimpleQueue[int]") -> None:
    told: list[str] = []
    obtain(told.append, releases=releases)
    counts.put(sum("Downloading" in line for line in told))


def test_of_processes_that_start_together_one_fetches(bare: Path, releases: str) -> None:
    context = multiprocessing.get_context("spawn")
    counts = context.SimpleQueue()
    started = [context.Process(target=_obtain_and_count, args=(releases, counts)) for _ in range(3)]
    for process in started:
        process.start()
    for process in started:
        process.join(30)
    assert [process.exitcode for process in started] == [0, 0, 0]
    assert sum(counts.get() for _ in started) == 1


def test_the_command_prints_the_path_and_nothing_else_on_stdout(bare: Path, checkout: Path, tmp_path: Path) -> None:
    kept = program(bare / "opa", SAYS.format(VERSION))
    ended = subprocess.run(
        [sys.executable, "-m", "gateway", "opa"],
        cwd=checkout,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == f"{kept}\n"
