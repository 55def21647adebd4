"""What every test may ask for.

Rule 1: generic fixtures only; what belongs to one part of the gateway lives beside its tests.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of this repository."""
    return ROOT
