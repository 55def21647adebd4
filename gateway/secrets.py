"""The values of upstream credentials, from a directory that holds one file for each.

Rule 1: a shared credential is the file `<name>`, a principal's own is `<server>/<file_name(subject)>`: one is never
used for the other, and what is missing is missing.
Rule 2: a file is read again when it changed; one that others may read, or that is not one line of text, does not count.
Rule 3: a value shows itself in no representation; failures say which file to supply, never what was in it.

A file holds a bearer token, or a line `Header-Name: value` for servers that want another header.
"""

import os
import re
import stat
from hashlib import sha256
from pathlib import Path
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from gateway.admission.decision import Credential
from gateway.pipeline.ports import UpstreamFailure

LARGEST: Final = 16_384
"""Bytes that a credential file may hold."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HEADER: Final = re.compile(r"([A-Za-z0-9-]+):[ \t]+(\S.*)")
_TOKEN: Final = re.compile(r"[!-~]+")
_VALUE: Final = re.compile(r"[ -~]+")
_FORBIDDEN: Final = re.compile(
    r"(?i)mcp-.*|host|cookie|origin|accept.*|content-.*|connection|transfer-encoding|te|trailer|upgrade|expect|x-forwarded-.*"
)
"""Headers that belong to the protocol or the connection, which a credential may not set."""
_LONGEST_NAME: Final = 150
_REMEMBERED: Final = 10_000


class Secret:
    """A header to send, and nothing to print."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: str) -> None:
        """Take the name and the value of the header."""
        self.name: Final = name
        self.value: Final = value

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, ...)"


class _Read(Struct, frozen=True):
    """What a file gave when it was in this state."""

    state: tuple[int, ...]
    outcome: Secret | str


class SecretStore:
    """Credentials by name; the directory is looked at on every call, and read when it changed."""

    def __init__(self, directory: Path | None) -> None:
        """Take the secrets directory; null where the settings name none, and then every credential is missing."""
        self._directory: Final = directory
        self._read: Final[dict[Path, _Read]] = {}

    def header(self, credential: Credential, *, server: str, subject: str) -> Secret | UpstreamFailure:
        """Return the header that carries a credential; on failure, which file has to be supplied."""
        place = _place(credential, server=server, subject=subject)
        if self._directory is None:
            return _missing("the gateway's settings name no secrets directory")
        if place is None:
            return _missing(f"the credential {credential.name!r} cannot be looked up for this server and principal")
        outcome = self._outcome(self._directory / place)
        if isinstance(outcome, Secret):
            return outcome
        return _missing(f"the credential file {str(place)!r} of the secrets directory {outcome}")

    def _outcome(self, path: Path) -> Secret | str:
        try:
            state = _state(os.stat(path))  # noqa: PTH116 - one system call, without building objects around it
        except OSError:
            return "is missing: put the token into it, readable by the gateway's user only (chmod 600)"
        known = self._read.get(path)
        if known is None or known.state != state:
            known = _Read(state, load(path))
            self._remember(path, known)
        return known.outcome

    def _remember(self, path: Path, read: _Read) -> None:
        self._read.pop(path, None)
        while len(self._read) >= _REMEMBERED:
            del self._read[next(iter(self._read))]
        self._read[path] = read


def file_name(subject: str) -> str:
    """Return the name of the file that holds the credential of the principal with this subject.

    Letters, digits and `@_-.~` stand for themselves, all else is percent-encoded as UTF-8; so is a leading dot. A name
    longer than 150 characters becomes `%sha256-` and the digest of the subject, which no other name begins like.
    """
    name = quote(subject, safe="@", errors="surrogatepass")
    if len(name) > _LONGEST_NAME:
        return f"%sha256-{sha256(subject.encode(errors='surrogatepass')).hexdigest()}"
    return f"%2E{name[1:]}" if name.startswith(".") else name


def parse(text: str) -> Secret | str:
    """Return the header that the text of a credential file means, or what is wrong with it."""
    line = text.strip(" \t\r\n")
    found = _HEADER.fullmatch(line)
    if found is not None:
        return _of_header(found[1], found[2])
    if not _TOKEN.fullmatch(line):
        return "must hold one line of printable ASCII: a bearer token, or `Header-Name: value`"
    return Secret("Authorization", f"Bearer {line}")


def _of_header(name: str, value: str) -> Secret | str:
    if _FORBIDDEN.fullmatch(name):
        return f"names the header {name}, which belongs to the protocol: name the one that carries the credential"
    return Secret(name, value) if _VALUE.fullmatch(value) else "has a value that is not one line of printable ASCII"


def _place(credential: Credential, *, server: str, subject: str) -> Path | None:
    """Return the file of a credential below the secrets directory; null where a principal without subject needs one."""
    if credential.per == "principal":
        return Path(server, file_name(subject)) if subject and _NAME.fullmatch(server) else None
    return Path(credential.name) if _NAME.fullmatch(credential.name) else None


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode)


def load(path: Path) -> Secret | str:
    """Return what a file gives, or the end of a sentence that begins with its name."""
    try:
        with open(path, "rb", opener=_opener) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return "is not a file"
            if found.st_mode & stat.S_IRWXO:
                return "is open to every user of the machine: take that away (chmod o-rwx)"
            text = file.read(LARGEST + 1)
        exact = path.name in os.listdir(path.parent)  # noqa: PTH208 - names alone, no objects
    except OSError as error:
        return f"cannot be read by the gateway's user ({error.strerror})"
    if not exact:
        return "is missing: a file whose name differs in case is there, and does not count"
    if len(text) > LARGEST:
        return f"is larger than {LARGEST} bytes"
    return parse(text.decode(errors="replace"))


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe must not make the worker wait for a writer


def _missing(detail: str) -> UpstreamFailure:
    return UpstreamFailure(code="credential_missing", detail=detail, stage="unsent")
