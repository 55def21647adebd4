"""The YAML files of agents: find entries, edit them in place, write files atomically.

Rule 1: an edit changes only the value that it is meant to change. Comments, order and quotes stay.
Rule 2: a file is replaced in one step or not at all. A concurrent reader sees either the old or the new content.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any, Final, cast

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.scalarstring import DoubleQuotedScalarString

from gateway.durable_files import replace
from gateway.policy.sources import timestamps
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.source_files import DirectoryToList, list_files

_ITEM: Final = re.compile(r"^(?P<outer> *)[^\s#-][^\n]*:[ ]*\n(?:\s*(?:#[^\n]*)?\n)*(?P<inner> *)- ", re.MULTILINE)


class UnreadableFile(Exception):  # noqa: N818  it reports the result of reading
    """A file of agents that cannot be read; the text names the file, the place and the reason."""


class ServiceToken(Struct, frozen=True, kw_only=True):
    """A service token as written in YAML."""

    sha256: str
    holder: str
    expires: datetime | None = None


class Registration(Struct, frozen=True, kw_only=True):
    """One agent's entry and the document that contains it; both are edited in place."""

    path: Path
    text: str
    document: Any
    entry: Any
    zone: str = "UTC"
    """The time zone of the environment, used to read dates."""

    @property
    def agent(self) -> str:
        """The agent's id."""
        return str(self.entry.get("agent", ""))

    @property
    def tokens(self) -> list[Any]:
        """The entries of its service tokens; edits to them are saved with the document."""
        return _list(self.entry.get("tokens"))


def registrations(directory: Path) -> list[Registration]:
    """Return every agent in the files of a directory, ordered by file name and position."""
    if not directory.exists():
        return []
    policy = directory.parent.parent.parent
    listing = list_files(DirectoryToList(root=directory, shown=str(directory), within=policy))
    if listing.problems:
        raise UnreadableFile("\n".join(map(str, listing.problems)))
    yaml = [file.place for file in listing.files if file.path.endswith(".yaml")]
    paths = [place.resolve() if place.is_symlink() else place for place in yaml]
    zone = _zone(directory.parent / "environment.yaml")
    return [one for path in paths for one in _read(path, zone)]


def _zone(path: Path) -> str:
    """Return the time zone of an environment; UTC if it sets none."""
    settings = read_document(str(path), path.read_bytes()) if path.is_file() else None
    stated: Any = settings.value if isinstance(settings, Document) else None
    return str(stated.get("time_zone", "UTC")) if isinstance(stated, dict) else "UTC"  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


def _read(path: Path, zone: str) -> list[Registration]:
    try:
        text = path.read_text(encoding="utf-8")
        document: Any = _yaml(text).load(text)
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise UnreadableFile(f"{path}: cannot be read: {error}") from error
    if document is None:
        return []
    entries = _list(document["agents"] if isinstance(document, dict) and "agents" in document else [document])
    if not entries or not all(isinstance(entry, dict) and "agent" in entry for entry in entries):
        raise UnreadableFile(
            f"{path}: is neither an agent nor a list `agents:`. Run `mcp-admission check` for details."
        )
    return [Registration(path=path, text=text, document=document, entry=entry, zone=zone) for entry in entries]


def _list(value: Any) -> list[Any]:
    return cast("list[Any]", list(value)) if isinstance(value, list) else []  # pyright: ignore[reportUnknownArgumentType]


def new_entry(agent: str, owner: str, purpose: str, kind: str) -> Any:
    """Return an entry without tokens."""
    return CommentedMap({"agent": agent, "owner": owner, "purpose": purpose, "kind": kind})


def add(entry: Any, token: ServiceToken) -> None:
    """Add a token to an entry."""
    fields: Any = CommentedMap({"sha256": DoubleQuotedScalarString(token.sha256), "holder": token.holder})
    if token.expires is not None:
        fields["expires"] = moment_text(token.expires)
    if not isinstance(entry.get("tokens"), list):
        entry["tokens"] = CommentedSeq()
    entry["tokens"].append(fields)


def end(token: Any, at: datetime, zone: str) -> None:
    """Make a token expire at a time, unless it expires earlier."""
    before = expiry(token, zone)
    if before is None or before > at:
        token["expires"] = moment_text(at)


def remove(entry: Any, chosen: Callable[[Any], bool]) -> int:
    """Remove the chosen tokens and return their number."""
    tokens: Any = entry.get("tokens")
    places = [place for place, token in enumerate(tokens or ()) if chosen(token)]
    for place in reversed(places):
        del tokens[place]
    if tokens is not None and not tokens:
        del entry["tokens"]
    return len(places)


def expiry(token: Any, zone: str) -> datetime | None:
    """Return when a token expires, reading a date in this time zone; None if it never does or the date is invalid."""
    return timestamps.end(str(token["expires"]), zone) if "expires" in token else None


def moment_text(at: datetime) -> Any:
    """Return a time in the form that the schema requires."""
    return DoubleQuotedScalarString(at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def shown(document: Any, text: str = "") -> str:
    """Return the document as YAML, in the style of `text`."""
    stream = StringIO()
    _yaml(text).dump(document, stream)
    return stream.getvalue()


def write(path: Path, text: str) -> None:
    """Replace or create a file in one step."""
    mode = None if path.exists() else 0o644
    replace(path, text.encode(), mode=mode)


def _yaml(text: str) -> Any:
    """Return a round-trip YAML that indents sequences as the text does."""
    found = _ITEM.search(text)
    offset = max(0, len(found["inner"]) - len(found["outer"])) if found else 2
    yaml: Any = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.explicit_start = text.startswith("---")
    yaml.indent(mapping=2, sequence=offset + 2, offset=offset)
    return yaml
