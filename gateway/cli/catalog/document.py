"""A survey as the YAML of a catalog entry, for review in git.

Rule 1: what people wrote stays: renewing an entry adds what is new and renews pins; it removes nothing.
Rule 2: what a server wrote is data: quoted, in ASCII and cut, so that it is no key of ours, and no more than one line.
"""

import re
from collections.abc import Mapping, Sequence
from io import StringIO
from typing import Any, Final

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from gateway.admission.digests import digest
from gateway.admission.policy_input import Definition
from gateway.bundle.argument_paths import REVIEWED
from gateway.bundle.document import Document, read_document
from gateway.bundle.plain import is_array, is_object
from gateway.bundle.secret_shapes import secrets_in
from gateway.cli.catalog.listed import Listed
from gateway.cli.catalog.suggestion import Suggestion, suggestion
from gateway.cli.live import escaped

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*([_-][A-Za-z0-9]+)*")
_WORDS: Final = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_COMMENT: Final = 160
"""Characters of a description that a review shows."""
_REVIEWED: Final = 20_000
"""Bytes of YAML that the arguments of one target may take."""
_SECTIONS: Final = ("tools", "prompts", "resources")


class About(Struct, frozen=True, kw_only=True):
    """What a catalog entry says that a server cannot say."""

    server: str
    url: str
    owner: str
    title: str = ""
    credential: str = ""
    per: str = "shared"


def entry(about: About, things: Sequence[Listed]) -> Any:
    """Return a new catalog entry, as ruamel.yaml writes it."""
    made: Any = CommentedMap({"server": _text(about.server), "url": _text(about.url), "owner": _text(about.owner)})
    if about.title:
        made.insert(1, "title", Quoted(about.title[:200].encode(errors="replace").decode()))
    made["trust"] = "low"
    if about.credential:
        made["credential"] = _flow({"name": _text(about.credential), "per": about.per})
    renew(made, things)
    return made


def renew(document: Any, things: Sequence[Listed]) -> None:
    """Bring an entry up to what the server lists: new targets with a suggestion, and the pins of all."""
    for section in _SECTIONS:
        for one in (one for one in things if one.section == section):
            targets: Any = document.setdefault(section, CommentedMap())
            if one.key not in targets:
                _add(targets, one, believe_annotations=document.get("believe_annotations") is True)
            targets[one.key]["pin"] = _pin(one.definition)
            targets[one.key].pop("reviewed", None)
            if reviewed := _reviewed(one):
                targets[one.key]["reviewed"] = reviewed


def written(document: Any) -> str:
    """Return the document as YAML."""
    stream = StringIO()
    _yaml().dump(document, stream)
    return stream.getvalue()


def read(text: str) -> Any:
    """Return a document to renew, with its comments; ruamel's `YAMLError` where it is not YAML."""
    return _yaml().load(text)


def _add(targets: Any, one: Listed, *, believe_annotations: bool) -> None:
    found = Suggestion("read", f"{one.section} are read")
    if one.section == "tools":
        found = suggestion(one.item, believe_annotations=believe_annotations)
    key = _text(one.key)
    targets[key] = CommentedMap({"action": found.action, "suggested_by": Quoted(found.source)})
    comment = _said(one.item)
    if comment:
        targets.yaml_set_comment_before_after_key(key, before=comment, indent=2)


def _said(item: Mapping[str, Any]) -> str:
    """Return the server's own description as one line of printable ASCII."""
    text = " ".join(str(item.get("description") or item.get("title") or "").split())
    shown = escaped(text).encode("ascii", "backslashreplace").decode()
    return shown if len(shown) <= _COMMENT else f"{shown[:_COMMENT]}..."


def _pin(definition: Definition) -> Any:
    parts = _flow({name: Quoted(digest) for name, digest in sorted(definition.parts.items())})
    return CommentedMap({"sha256": Quoted(definition.sha256), "parts": parts})


def _reviewed(one: Listed) -> Any:
    """Return the arguments that a definition describes, whole; nothing if a catalog cannot hold them as they are."""
    part = REVIEWED.get(one.section, "")
    if part not in one.item:
        return None
    made = CommentedMap({part: _quoted(one.item[part])})
    text = written(made).encode()
    found = read_document("", text) if len(text) <= _REVIEWED else []
    if not isinstance(found, Document) or secrets_in(found):
        return None
    return made if digest(found.value[part]) == one.definition.parts[part] else None


def _quoted(value: Any) -> Any:
    """Return a JSON value of a server with every string quoted."""
    if is_object(value):
        return CommentedMap({_text(key): _quoted(inner) for key, inner in value.items()})
    if is_array(value):
        return [_quoted(each) for each in value]
    return Quoted(value) if isinstance(value, str) else value


def _flow(fields: Mapping[str, Any]) -> Any:
    made: Any = CommentedMap(fields)
    made.fa.set_flow_style()
    return made


def _text(text: str) -> str:
    """Return a text that every YAML reader takes for a string."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else Quoted(text)


def _yaml() -> Any:
    yaml: Any = YAML()
    yaml.preserve_quotes = True
    yaml.allow_unicode = False
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
