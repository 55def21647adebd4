"""Who may read the journal: its owner and, if `journal.group` names one, the members of a group.

Rule 1: the group may list the directory and read segments; it writes nothing. Others may do nothing.
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
    """Return the number of a group; raises OSError if there is no such group."""
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError as error:
        known = f"no group of this machine is called `{name}`"
        raise OSError(errno.EINVAL, f"{known}: create it with `groupadd --system {name}`, or correct it") from error


def prepare(directory: Path, group: str = "", *, mode: int = _OWNER_ONLY) -> None:
    """Make the journal's directory, or check that only the intended users may enter the existing one."""
    directory.mkdir(mode=_OWNER_ONLY, parents=True, exist_ok=True)
    if group:
        mode = _DIRECTORY
        _admit(directory, group_id(group), mode)
    found = directory.stat().st_mode & 0o777
    if found & ~mode & 0o077:
        remedy = f"run chmod {mode:o} on it" + ("" if group else ", or let a group read it by `journal.group`")
        raise PermissionError(errno.EACCES, f"others may enter it (mode {found:04o}): {remedy}", os.fspath(directory))


def prepare_shared(directory: Path) -> None:
    """Make or judge the directory for a file that only its owner can read, whatever `journal.group` is."""
    prepare(directory, mode=_DIRECTORY)


def admit_to_segment(descriptor: int, group: str) -> None:
    """Let a group read a segment."""
    _admit(descriptor, group_id(group), _FILE)


def admit_to_journal(directory: Path, group: str) -> None:
    """Let a group read the directory and all segments in it; raises OSError if that cannot be done."""
    prepare(directory, group)
    number = group_id(group)
    for _, path in segments(directory):
        _admit(path, number, _FILE)


def closed_parents(directory: Path, group: str) -> Iterator[Path]:
    """Return the directories above the journal that the group may not pass, by their mode."""
    number = group_id(group)
    for parent in directory.absolute().parents:
        status = parent.stat()
        if not status.st_mode & (0o011 if status.st_gid == number else 0o001):
            yield parent


def _admit(place: Path | int, group: int, mode: int) -> None:
    """Give a directory or a file to the group, unless it is so already."""
    status = os.stat(place)  # noqa: PTH116 - also of a descriptor
    if status.st_gid != group:
        try:
            os.chown(place, -1, group)
        except PermissionError as error:
            remedy = "run the gateway as a member of this group"
            named = os.fspath(place) if isinstance(place, Path) else None
            raise PermissionError(error.errno, f"it cannot be given to `journal.group`: {remedy}", named) from error
    if status.st_mode & 0o777 != mode:
        os.chmod(place, mode)  # noqa: PTH101 - also of a descriptor
