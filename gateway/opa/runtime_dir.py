"""Private runtime directory of a managed OPA, recognizable as abandoned when its process is gone.

Rule 1: only the owner can enter it.
Rule 2: a lock that the kernel releases with its process shows whether a directory is in use; process ids are not
trusted.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

PREFIX: Final = "mcp-admission-opa-"
LOCK: Final = "lock"


class RuntimeDir:
    """The runtime directory of one managed OPA."""

    def __init__(self) -> None:
        self.path: Final = Path(tempfile.mkdtemp(prefix=PREFIX))
        fresh = self.path / f"{LOCK}.new"  # locked before `sweep` of another process can see it
        self._lock = os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        fresh.rename(self.path / LOCK)

    def remove(self) -> None:
        """Remove the directory with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def sweep() -> None:
    """Remove the directories that killed gateways of the same user left behind."""
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


def _abandoned(path: Path) -> bool:
    try:
        if path.stat(follow_symlinks=False).st_uid != os.getuid():
            return False
        lock = os.open(path / LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:  # owned by another user, or just being created or removed
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
