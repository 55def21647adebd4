"""How hypothesis runs here.

Rule 1: no deadlines: what a machine does besides the tests is not their subject.
"""

from pathlib import Path

import pytest
from hypothesis import settings

from gateway.bundle import Builder, PolicySource, Problems
from gateway.opa.binary import find
from tests.property.judge import Judge

settings.register_profile("here", deadline=None)
settings.load_profile("here")

NOW = 1_795_000_000.0


@pytest.fixture(scope="session")
def opa() -> Path:
    found = find()
    assert found is not None, "OPA is not on this machine: run `make opa`"
    return found


@pytest.fixture(scope="session")
def judge(opa: Path, checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Judge:
    root = tmp_path_factory.mktemp("worlds")
    content = Builder(root / "state", opa).content(PolicySource(checkout, "dev"), NOW)
    assert not isinstance(content, Problems), content
    return Judge(opa, root, content)
