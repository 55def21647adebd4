"""Shared fixtures of the tests of the upstream client."""

from pathlib import Path

import pytest

from tests import certificates


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate for 127.0.0.1, with its key, in one file."""
    return certificates.pair(tmp_path_factory.mktemp("tls"))
