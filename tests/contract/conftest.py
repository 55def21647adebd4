"""Contract tests decide with the real OPA, from the checked-in policies."""

import os
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.opa.binary import find
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.sources.problem import Problems

Write = Callable[[str, str], Path]
Run = Callable[..., Result]
NOW = 1_795_000_000.0


@pytest.fixture(scope="session")
def opa() -> Path:
    found = find()
    assert found is not None, "OPA is not on this machine: run `make opa`"
    return found


@pytest.fixture(scope="session")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which the stock library is verified once for all tests of a run."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture
def repository(tmp_path: Path, checkout: Path) -> Path:
    """A policy repository with the demo environment, and no Rego of its own."""
    root = tmp_path / "policies"
    shutil.copytree(checkout / "bundles" / "dev", root / "bundles" / "dev")
    return root


@pytest.fixture
def put(repository: Path) -> Write:
    def written(path: str, text: str) -> Path:
        place = repository / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text).lstrip("\n"))
        return place

    return written


@pytest.fixture
def content(repository: Path, verified: Path, opa: Path) -> Callable[[], Content]:
    """The checked content of the repository as it is then."""

    def made() -> Content:
        found = Builder(verified, opa).content(PolicySource(repository, "dev"), NOW)
        assert not isinstance(found, Problems), found
        return found

    return made


def _named_opa(verified: Path, opa: Path) -> Path:
    """A directory for PATH in which OPA has its plain name."""
    directory = verified / "bin"
    directory.mkdir(exist_ok=True)
    (directory / "opa").unlink(missing_ok=True)
    (directory / "opa").symlink_to(opa)
    return directory


@pytest.fixture
def run(verified: Path, monkeypatch: pytest.MonkeyPatch, opa: Path) -> Run:
    """A command of `mcp-admission` as a person runs it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(verified))
    monkeypatch.setenv("PATH", f"{_named_opa(verified, opa)}:{os.environ['PATH']}")
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])
