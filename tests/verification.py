"""What gateways of earlier tests verified, given to those of later ones.

    with shared_verification(state_directory): ...

A verification of the Rego costs several seconds of CPU, and its result is kept by the digest of everything that it
depends on (`gateway.policy.rego.rego_verification`). A test with other Rego, OPA or code verifies for itself.
"""

import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.environment import ROOT

KEPT: Final = ROOT / ".state/tests/verified"


@contextmanager
def shared_verification(state: Path) -> Generator[None]:
    """Put what was verified into a state directory, and take what is new there at the end of the block."""
    own = state / "verified"
    if KEPT.exists():
        state.mkdir(parents=True, exist_ok=True)
        shutil.copytree(KEPT, own, dirs_exist_ok=True, ignore=shutil.ignore_patterns("tmp*"))
    try:
        yield
    finally:
        for path in own.glob("*.json"):
            _keep(path)


def _keep(path: Path) -> None:
    if not (KEPT / path.name).exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        scratch = KEPT / f"tmp{os.getpid()}-{path.name}"
        shutil.copyfile(path, scratch)
        scratch.replace(KEPT / path.name)
