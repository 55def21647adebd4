"""Access to the journal's files: for their owner and, if `journal.group` names one, the members of a group.

Rule 1: the group may list the directory and read segments, but not write. Others have no access.
Rule 2: keys and the highest revisions, which are in the same directory, stay readable by their owner only.
"""

import errno
import grp
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.journal.segment_names import segments

_OWNER_ONLY: Final = 0o700
_DIRECTORY: Final = 0o750
_FILE: Final = 0o640


def group_id(name: str) -> int:
    """Return the number of a group; raise OSError if the group does not exist."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        known = f"group `{name}` does not exist on this machine"
        raise OSError(errno.EINVAL, f"{known}: create it with `groupadd --system {name}`, or correct it") from error


def prepare(directory: Path, group: str = "", *, mode: int = _OWNER_ONLY) -> None:
    """Create the journal's directory, or check that only the intended users can access the existing one."""
    directory.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    if group:
        mode = _DIRECTORY
        _admit(directory, group_id(group), mode)
    found = directory.stat().st_mode & 0o777
    if found & ~mode & 0o077:
        remedy = f"run chmod {mode:o} on it" + ("" if group else ", or set `journal.group` to let a group read it")
        wrong = f"other users can access it (mode {found:04o}): {remedy}"
        raise PermissionError(errno.EACCES, wrong, os.fspath(directory))


def prepare_shared(directory: Path) -> None:
    """Create or check the directory for a file that only its owner can read, with or without `journal.group`."""
    prepare(directory, mode=_DIRECTORY)


def admit_to_segment(descriptor: int, group: str) -> None:
    """Give a group read access to a segment."""
    _admit(descriptor, group_id(group), _FILE)


def admit_to_journal(directory: Path, group: str) -> None:
    """Give a group read access to the directory and all segments in it; raise OSError if that fails."""
    prepare(directory, group)
    number = group_id(group)
    for _, path in segments(directory):
        _admit(path, number, _FILE)


def closed_parents(directory: Path, group: str) -> Iterator[Path]:
    """Yield the directories above the journal whose mode keeps the group out."""
    number = group_id(group)
    for parent in directory.absolute().parents:
        status = parent.stat()
        if not status.st_mode & (0o011 if status.st_gid == number else 0o001):
            yield parent


def _admit(place: Path | int, group: int, mode: int) -> None:
    """Set the group and the mode of a directory or a file if they differ."""
    status = os.stat(place)  # noqa: PTH116 - `place` may be a descriptor
    if status.st_gid != group:
        try:
            os.chown(place, -1, group)
        except PermissionError as error:
            remedy = "run the gateway as a member of this group"
            named = os.fspath(place) if isinstance(place, Path) else None
            raise PermissionError(error.errno, f"cannot set its group to `journal.group`: {remedy}", named) from error
    if status.st_mode & 0o777 != mode:
        os.chmod(place, mode)  # noqa: PTH101 - `place` may be a descriptor
