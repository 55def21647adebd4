"""Fixture of the verified OPA binary, whose parser creates the mutants."""

from pathlib import Path

import pytest

from gateway.opa.binary import find


@pytest.fixture(scope="session")
def opa() -> Path:
    found = find()
    assert found is not None, "OPA is not on this machine: run `make opa`"
    return found
