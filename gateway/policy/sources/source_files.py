"""List the files below a directory of policy sources: an environment, `rego/`, the stock library.

Rule 1: every entry is a file to read or a problem, except README files and files of git and similar tools.
Rule 2: links are followed if their target is in the policy repository. A broken link, a loop or a link that leads out
of it is a problem.
Rule 3: a Kubernetes volume (`..data`) is read once, through its visible names.
Rule 4: listing does not open files, and lists regular files only: a pipe or a socket cannot block a build.
"""

import errno
import os
import re
import stat
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.policy.sources.problem import Problem

BESIDE: Final = frozenset(
    {"README", "README.md", "README.rst", "README.txt", ".gitignore", ".gitattributes", ".gitkeep", ".keep"}
    | {".git", ".git/", ".DS_Store", ".editorconfig", ".yamllint", ".yamllint.yaml", "CODEOWNERS"}
)
"""Names without policy that may be in any directory; the name of a directory ends in `/`."""
_EDITOR: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (re.compile(r"\.#(?P<of>.+)"), "the lock file of an editor"),
    (re.compile(r"#(?P<of>.+)#"), "the autosave file of an editor"),
    (re.compile(r"\.~lock\.(?P<of>.+)#"), "the lock file of an editor"),
    (re.compile(r"\.(?P<of>.+)\.(?:sw[a-z]|kate-swp)"), "the swap file of an editor"),
    (re.compile(r"\.?(?P<of>.+)\.un~"), "the undo file of an editor"),
    (re.compile(r"\.?(?P<of>.+?)(?:\.~[0-9]+~|~[0-9]*)"), "the backup file of an editor"),
    (re.compile(r"(?P<of>.+)(?:\.(?:bak|backup|orig|old|save|rej)[0-9]*|___jb_old___)", re.IGNORECASE), "a backup"),
    (re.compile(r"\.?(?P<of>.+?)(?:\.te?mp|___jb_tmp___)", re.IGNORECASE), "a temporary file"),
)
"""Patterns of the files that editors create next to the file `of`, and what such a file is."""
_VOLUME: Final = "..data"
_VOLUME_COPY: Final = re.compile(r"\.\.(?:data_tmp|[0-9]{4}_[0-9]{2}_[0-9]{2}_[0-9]{2}_[0-9]{2}_[0-9]{2}\.[0-9]+)")
_MAX_DEPTH: Final = 32
_MAX_ENTRIES: Final = 10_000
_KINDS: Final = (
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class SourceFile(Struct, frozen=True):
    """A regular file: its path relative to the listed directory, and its location."""

    path: str
    place: Path


class DirectoryListing(Struct, frozen=True):
    """The files below a directory, sorted by path, and a problem for every other entry."""

    files: tuple[SourceFile, ...]
    problems: tuple[Problem, ...]
    editing: tuple[Problem, ...]
    """Problems of the files that an editor created next to an existing file: backups and unsaved versions."""
    directories: frozenset[Path]
    """The real directories that were listed, including those behind links."""


class DirectoryToList(Struct, frozen=True, kw_only=True):
    """A directory to list, its name in problems, and the directory that links must not leave."""

    root: Path
    shown: str
    within: Path
    beside: frozenset[str] = frozenset()
    """More names without policy, at the top level only; the name of a directory ends in `/`."""


def list_files(listed: DirectoryToList) -> DirectoryListing:
    """List every file below the directory."""
    walk = _Walk(listed)
    walk.start()
    return DirectoryListing(
        tuple(sorted(walk.files, key=lambda file: file.path)),
        tuple(walk.problems),
        tuple(walk.editing),
        frozenset(walk.directories),
    )


def read_regular(place: Path, limit: int) -> bytes:
    """Return the first `limit` bytes of a regular file; raise OSError for anything else, without blocking."""
    descriptor = os.open(place, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return file.read(limit)


class _Walk:
    """One walk over a directory."""

    def __init__(self, listed: DirectoryToList) -> None:
        self.files: list[SourceFile] = []
        self.problems: list[Problem] = []
        self.editing: list[Problem] = []
        self.directories: set[Path] = set()
        self._listed = listed
        self._within = listed.within.resolve()
        self._entries = 0

    def start(self) -> None:
        """List the root and everything below it."""
        refused = self._unfollowed(self._listed.root)
        if refused:
            self.problems.append(Problem(self._listed.shown, 0, *refused))
        else:
            self._directory(self._listed.root, "", ())

    def _directory(self, place: Path, path: str, above: tuple[Path, ...]) -> None:
        real = place.resolve()
        if any(each.is_relative_to(real) for each in above):
            self._refuse(path, "is a link to one of its own parent directories.", "Remove the link: it is a loop.")
            return
        if len(above) >= _MAX_DEPTH:
            self._refuse(path, f"is deeper than {_MAX_DEPTH} directories.", "Move its files up.")
            return
        self.directories.add(real)
        for name in self._names(place, path):
            self._entries += 1
            if self._entries > _MAX_ENTRIES:
                if self._entries == _MAX_ENTRIES + 1:
                    remedy = "Keep only policy files here, and check for links that repeat a directory."
                    self._refuse("", f"has more than {_MAX_ENTRIES} files and directories.", remedy)
                return
            self._entry(place / name, _below(path, name), (*above, real))

    def _names(self, place: Path, path: str) -> list[str]:
        """Return the names to read; in a Kubernetes volume, those that lead into its current copy."""
        try:
            names = sorted(each.name for each in place.iterdir())
            held = {each.name for each in (place / _VOLUME).iterdir()} if _is_volume(place) else None
        except OSError as error:
            self._refuse(path, f"cannot be listed: {error.strerror}.", "Check its permissions.")
            return []
        if held is None:
            return names
        for name in sorted(held - set(names) - BESIDE):
            remedy = f"Link `{name}` to `{_VOLUME}/{name}`, as Kubernetes does, or remove it."
            self._refuse(_below(path, f"{_VOLUME}/{name}"), "has no visible name and is not read.", remedy)
        return [name for name in names if name != _VOLUME and not _VOLUME_COPY.fullmatch(name)]

    def _entry(self, place: Path, path: str, above: tuple[Path, ...]) -> None:
        try:
            self._judged(place, path, above)
        except OSError as error:  # it was removed meanwhile, or its directory is not accessible
            self._refuse(path, f"cannot be read: {error.strerror}.", "Check its permissions.")

    def _judged(self, place: Path, path: str, above: tuple[Path, ...]) -> None:
        refused = self._unfollowed(place) if place.is_symlink() else None
        left_by = _left_by_editor(place)
        if left_by is not None and (refused or not place.is_dir()):
            self._left(place, path, *left_by)
            return
        if refused:
            self._refuse(path, *refused)
            return
        mode = place.stat().st_mode
        if self._is_beside(place.name, path, is_directory=stat.S_ISDIR(mode)):
            return
        if stat.S_ISDIR(mode) and place.name.startswith("."):
            self._refuse(path, "is a hidden directory, which is not read.", "Rename or remove it.")
        elif stat.S_ISDIR(mode):
            self._directory(place, path, above)
        elif stat.S_ISREG(mode):
            self._file(place, path)
        else:
            kind = next((named for test, named in _KINDS if test(mode)), "not a regular file")
            self._refuse(path, f"is {kind}.", "Remove it: only regular files and directories are read.")

    def _file(self, place: Path, path: str) -> None:
        if _shown(path) == path:
            self.files.append(SourceFile(path, place))
        else:
            self._refuse(path, "has a name with unprintable characters.", "Use printable UTF-8 characters in its name.")

    def _is_beside(self, name: str, path: str, *, is_directory: bool) -> bool:
        slash = "/" if is_directory else ""
        return f"{name}{slash}" in BESIDE or f"{path}{slash}" in self._listed.beside

    def _left(self, place: Path, path: str, what: str, of: str) -> None:
        if (place.parent / of).is_file():
            said = f"is {what} next to `{_shown(of)}`, and is not read."
            self.editing.append(self._problem(path, said, "Close the editor or remove the file."))
        else:
            said = f"is {what}, and is not read; `{_shown(of)}` itself does not exist."
            holds_text = "lock file" not in what and "swap file" not in what and "undo file" not in what
            rename = f"Rename it to `{_shown(of)}` or remove it."
            self._refuse(
                path, said, rename if holds_text else f"Save `{_shown(of)}` in the editor, or remove the file."
            )

    def _unfollowed(self, place: Path) -> tuple[str, str] | None:
        """Return why a link is not followed, and the remedy; None if its target is in the repository."""
        try:
            target = place.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            broken = isinstance(error, FileNotFoundError)
            said = "is a link to a file that does not exist." if broken else "is a link that cannot be resolved."
            return said, "Remove the link or restore its target."
        if target.is_relative_to(self._within):
            return None
        return "is a link out of the policy repository.", "Put the file itself here: links must stay inside it."

    def _problem(self, path: str, what: str, remedy: str) -> Problem:
        return Problem(_below(self._listed.shown, _shown(path)), 0, what, remedy)

    def _refuse(self, path: str, what: str, remedy: str) -> None:
        self.problems.append(self._problem(path, what, remedy))


def _is_volume(place: Path) -> bool:
    """Return whether Kubernetes maintains a directory: `..data` is a link to a copy in the same directory."""
    link = place / _VOLUME
    return link.is_symlink() and link.is_dir() and link.resolve().parent == place.resolve()


def _left_by_editor(place: Path) -> tuple[str, str] | None:
    """Return what kind of editor file this is, and the name of the edited file; None for other files."""
    for pattern, what in _EDITOR:
        found = pattern.fullmatch(place.name)
        if found:
            return what, found["of"]
    return None


def _below(path: str, name: str) -> str:
    return f"{path}/{name}" if path and name else path or name


def _shown(text: str) -> str:
    """Return the text with unprintable characters escaped."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in decoded)
