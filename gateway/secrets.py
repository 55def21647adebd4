"""Values of upstream credentials, read from a directory with one file for each.

Rule 1: a shared credential is in the file `<name>`, a principal's own in `<server>/<file_name(subject)>`. One never
replaces the other; a credential without its file is missing.
Rule 2: a file is read again when it changes. A file that other users can access, or that is not one line of text, is
rejected.
Rule 3: the value never appears in a representation. Failures name the file to supply, never its content.

A file contains a bearer token, or a line `Header-Name: value` for servers that require another header.
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
"""Maximum bytes of a credential file."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_HEADER: Final = re.compile(r"([A-Za-z0-9-]+):[ \t]+(\S.*)")
_TOKEN: Final = re.compile(r"[!-~]+")
_VALUE: Final = re.compile(r"[ -~]+")
_FORBIDDEN: Final = re.compile(
    r"(?i)mcp-.*|host|cookie|origin|accept.*|content-.*|connection|transfer-encoding|te|trailer|upgrade|expect|x-forwarded-.*"
)
"""Headers of the protocol or the connection, which a credential must not set."""
_LONGEST_NAME: Final = 150
_REMEMBERED: Final = 10_000


class Secret:
    """A header to send; its value is not printable."""

    __slots__ = ("name", "value")

    def __init__(self, name: str, value: str) -> None:
        """Take the name and the value of the header."""
        self.name: Final = name
        self.value: Final = value

    def __repr__(self) -> str:
        return f"Secret({self.name!r}, ...)"


class _Read(Struct, frozen=True):
    """The result of reading a file in this state."""

    state: tuple[int, ...]
    outcome: Secret | str


class SecretStore:
    """Store of credentials by name. It checks the directory on every call and reads files that changed."""

    def __init__(self, directory: Path | None) -> None:
        """Take the secrets directory; if it is None, every credential is missing."""
        self._directory: Final = directory
        self._read: Final[dict[Path, _Read]] = {}

    def header(self, credential: Credential, *, server: str, subject: str) -> Secret | UpstreamFailure:
        """Return the header of a credential; on failure, the file to supply."""
        place = _place(credential, server=server, subject=subject)
        if self._directory is None:
            return _missing("the gateway's settings do not name a secrets directory")
        if place is None:
            return _missing(f"the credential {credential.name!r} cannot be looked up for this server and principal")
        outcome = self._outcome(self._directory / place)
        if isinstance(outcome, Secret):
            return outcome
        return _missing(f"the credential file {str(place)!r} of the secrets directory {outcome}")

    def _outcome(self, path: Path) -> Secret | str:
        try:
            state = _state(os.stat(path))  # noqa: PTH116 - one system call, without extra objects
        except OSError:
            return "is missing: write the token to it, readable only by the gateway's user (chmod 600)"
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
    """Return the name of the file with the credential of the principal with this subject.

    Letters, digits and `@_-.~` are kept. Other characters are percent-encoded as UTF-8, and so is a leading dot. A name
    longer than 150 characters becomes `%sha256-` and the digest of the subject; no other name begins like this.
    """
    name = quote(subject, safe="@", errors="surrogatepass")
    if len(name) > _LONGEST_NAME:
        return f"%sha256-{sha256(subject.encode(errors='surrogatepass')).hexdigest()}"
    return f"%2E{name[1:]}" if name.startswith(".") else name


def parse(text: str) -> Secret | str:
    """Return the header in the text of a credential file, or the problem with the text."""
    line = text.strip(" \t\r\n")
    found = _HEADER.fullmatch(line)
    if found is not None:
        return _of_header(found[1], found[2])
    if not _TOKEN.fullmatch(line):
        return "must contain one line of printable ASCII: a bearer token, or `Header-Name: value`"
    return Secret("Authorization", f"Bearer {line}")


def _of_header(name: str, value: str) -> Secret | str:
    if _FORBIDDEN.fullmatch(name):
        return f"sets the header {name}, which is reserved for the protocol: use the header that carries the credential"
    return Secret(name, value) if _VALUE.fullmatch(value) else "has a value that is not one line of printable ASCII"


def _place(credential: Credential, *, server: str, subject: str) -> Path | None:
    """Return the path of a credential's file in the secrets directory, or None if it needs a subject or valid name."""
    if credential.per == "principal":
        return Path(server, file_name(subject)) if subject and _NAME.fullmatch(server) else None
    return Path(credential.name) if _NAME.fullmatch(credential.name) else None


def _state(found: os.stat_result) -> tuple[int, ...]:
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_mode)


def load(path: Path) -> Secret | str:
    """Return the content of a file, or a problem phrased to follow the file's name."""
    try:
        with open(path, "rb", opener=_opener) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                return "is not a file"
            if found.st_mode & stat.S_IRWXO:
                return "is accessible to every user of the machine: remove that permission (chmod o-rwx)"
            text = file.read(LARGEST + 1)
        exact = path.name in os.listdir(path.parent)  # noqa: PTH208 - only names, no objects
    except OSError as error:
        return f"cannot be read by the gateway's user ({error.strerror})"
    if not exact:
        return "is missing: there is only a file whose name differs in case, which is not used"
    if len(text) > LARGEST:
        return f"is larger than {LARGEST} bytes"
    return parse(text.decode(errors="replace"))


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a pipe must not make the worker wait for a writer


def _missing(detail: str) -> UpstreamFailure:
    return UpstreamFailure(code="credential_missing", detail=detail, stage="unsent")
