"""What property tests share: OPA, and a judge that asks it many questions."""

from pathlib import Path

import pytest

from gateway.opa.binary import find
from gateway.policy.build import Builder, PolicySource
from gateway.policy.sources.problem import Problems
from tests.property.judge import Judge

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
