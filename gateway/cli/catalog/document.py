"""A survey as the YAML of a catalog entry, for review in git.

Rule 1: text written by people stays. An update adds new targets and renews pins; it removes nothing.
Rule 2: text from a server is data: it is stored in full next to the pin, fully visible, and cannot become a key of the
entry.
"""

import json
from collections.abc import Mapping, Sequence
from io import StringIO
from operator import itemgetter
from typing import Any, Final

from msgspec import Struct
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.scalarstring import DoubleQuotedScalarString as Quoted

from gateway.admission.digests import grouped
from gateway.admission.policy_input import Definition
from gateway.cli.catalog.reviewed_text import review_yaml, reviewed_parts, yaml_text
from gateway.cli.catalog.server_listing import ServerItem
from gateway.cli.catalog.suggestion import Suggestion, suggestion
from gateway.cli.live_decisions import escaped
from gateway.policy.sources.document import MAX_BYTES

_KEY: Final = 100
"""Characters of a name that a report shows."""
_SHOWN: Final = 10
"""Names that a report shows."""
_SECTIONS: Final = ("tools", "prompts", "resources")


class EntryHeader(Struct, frozen=True, kw_only=True):
    """The fields of a catalog entry that do not come from the server."""

    server: str
    url: str
    owner: str
    title: str = ""
    credential: str = ""
    per: str = "shared"


def entry(about: EntryHeader, things: Sequence[ServerItem]) -> Any:
    """Return a new catalog entry, in the form that ruamel.yaml writes."""
    made: Any = CommentedMap(
        {"server": yaml_text(about.server), "url": yaml_text(about.url), "owner": yaml_text(about.owner)}
    )
    if about.title:
        made.insert(1, "title", Quoted(about.title[:200].encode(errors="replace").decode()))
    made["trust"] = "low"
    if about.credential:
        made["credential"] = _flow({"name": yaml_text(about.credential), "per": about.per})
    renew(made, things)
    return made


def renew(document: Any, things: Sequence[ServerItem]) -> list[str]:
    """Update an entry to the server's lists: new targets with a suggestion, and the pins and reviewed words of all.

    Return descriptions of the words that a catalog cannot contain.
    """
    left_out: list[str] = []
    too_long = _too_long(things)
    wordless = {(one.section, one.key) for one in too_long}
    for section in _SECTIONS:
        for one in (one for one in things if one.section == section):
            targets: Any = document.setdefault(section, CommentedMap())
            if one.key not in targets:
                _add(targets, one, believe_annotations=document.get("believe_annotations") is True)
            targets[one.key]["pin"] = _pin(one.definition)
            targets[one.key].pop("reviewed", None)
            if (section, one.key) in wordless:
                continue
            reviewed, whys = reviewed_parts(dict(sorted(grouped(one.item).items())))
            if reviewed:
                targets[one.key]["reviewed"] = reviewed
            left_out += [f"{section[:-1]} {escaped(one.key[:_KEY])}: {why}" for why in whys.values()]
    removed = [one.key for one in too_long] + _fit(document)
    return [*left_out, *([_without_words(removed)] if removed else [])]


def _too_long(things: Sequence[ServerItem]) -> list[ServerItem]:
    """Return those whose words cannot fit because shorter ones already fill the entry twice; the longest first."""
    filled, too_long = 0, list[ServerItem]()
    sized = ((len(json.dumps(one.item, ensure_ascii=False)), one) for one in things)
    for size, one in sorted(sized, key=itemgetter(0)):
        filled += size
        if filled > 2 * MAX_BYTES:
            too_long.append(one)
    return too_long[::-1]


def _fit(document: Any) -> list[str]:
    """Remove the longest reviewed words until a build accepts the file, and return the names that lost them."""
    removed: list[str] = []
    while (excess := len(written(document).encode()) - MAX_BYTES) > 0 and (reviewed := _reviewed(document)):
        for size, name, target in reviewed:
            if excess <= 0:
                break
            del target["reviewed"]
            excess -= size
            removed.append(name)
    return removed


def _reviewed(document: Any) -> list[tuple[int, str, Any]]:
    """Return the targets with reviewed words, the longest first: the bytes of the words, name and target."""
    targets: list[tuple[str, Any]] = [
        (name, each) for section in _SECTIONS for name, each in document.get(section, {}).items() if "reviewed" in each
    ]
    sized = ((_bytes(target["reviewed"]), name, target) for name, target in targets)
    return sorted(sized, key=itemgetter(0), reverse=True)


def _bytes(reviewed: Any) -> int:
    """Return the number of bytes of reviewed words in an entry, with their indentation."""
    around = "section:\n  name:\n"
    return len(written({"section": {"name": {"reviewed": reviewed}}}).encode()) - len(around)


def _without_words(names: Sequence[str]) -> str:
    shown = ", ".join(escaped(name[:_KEY]) for name in names[:_SHOWN])
    others = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{shown}{others}: with the words of all targets, the entry would exceed {MAX_BYTES} bytes"


def written(document: Any) -> str:
    """Return the document as YAML."""
    stream = StringIO()
    review_yaml().dump(document, stream)
    return stream.getvalue()


def read(text: str) -> Any:
    """Return a document to update, with its comments; raise ruamel's `YAMLError` if it is not YAML."""
    return review_yaml().load(text)


def _add(targets: Any, one: ServerItem, *, believe_annotations: bool) -> None:
    found = Suggestion("read", f"{one.section} are only read")
    if one.section == "tools":
        found = suggestion(one.item, believe_annotations=believe_annotations)
    targets[yaml_text(one.key)] = CommentedMap({"action": found.action, "suggested_by": Quoted(found.source)})


def _pin(definition: Definition) -> Any:
    parts = _flow({name: Quoted(digest) for name, digest in sorted(definition.parts.items())})
    return CommentedMap({"sha256": Quoted(definition.sha256), "parts": parts})


def _flow(fields: Mapping[str, Any]) -> Any:
    made: Any = CommentedMap(fields)
    made.fa.set_flow_style()
    return made
