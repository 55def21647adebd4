"""The items that a server lists, under their keys in a catalog.

Rule 1: a name that a catalog cannot contain, or that has two definitions, is left out and reported with the reason.
Rule 2: a resource template is the prefix before its first expression; the first template of a prefix represents it.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.admission.digests import define
from gateway.admission.listing import LISTS
from gateway.admission.policy_input import Definition
from gateway.admission.uri_patterns import normal_key, unusable_key
from gateway.cli.catalog.survey import Survey
from gateway.cli.live_decisions import escaped

SECTIONS: Final[Mapping[str, str]] = {
    "tools/list": "tools",
    "prompts/list": "prompts",
    "resources/list": "resources",
    "resources/templates/list": "resources",
}
_LONGEST_NAME: Final = 500


class ServerItem(Struct, frozen=True, kw_only=True):
    """One item that a server lists, as a catalog names it."""

    section: str
    """`tools`, `prompts` or `resources`."""
    key: str
    """A name, an exact URI, or a prefix that ends in `*`."""
    item: Mapping[str, Any]
    definition: Definition


class LeftOut(Struct, frozen=True):
    """One item that a catalog cannot name, and the reason; both are safe to show."""

    name: str
    why: str


def listed(survey: Survey) -> tuple[list[ServerItem], list[LeftOut]]:
    """Return the items of a survey that a catalog can name, in the server's order, and those that it cannot."""
    found: dict[tuple[str, str], ServerItem] = {}
    out: dict[tuple[str, str], LeftOut] = {}
    for method, section in SECTIONS.items():
        for item in survey.lists[method]:
            name = str(item[LISTS[method].key])
            key = _prefix(name) if section == "resources" and "{" in name else name
            one = ServerItem(section=section, key=key, item=item, definition=define(item))
            before = found.setdefault((section, normal_key(key) if section == "resources" else key), one)
            why = _unusable(method, one) or _clash(before, one)
            if why:
                out[section, name] = LeftOut(escaped(name[:200]), why)
    kept = [one for one in found.values() if (one.section, one.key) not in out and not _unusable("", one)]
    return kept, list(out.values())


def _prefix(template: str) -> str:
    return template.partition("{")[0] + "*"


def _unusable(method: str, one: ServerItem) -> str:
    """Return the reason why a catalog cannot name an item; empty if it can."""
    if not one.key.isascii() and one.key.encode(errors="replace").decode() != one.key:
        return "the name is not valid Unicode"
    if one.section != "resources":
        return f"the name has more than {_LONGEST_NAME} characters" if len(one.key) > _LONGEST_NAME else ""
    if method == "resources/list" and one.key.endswith("*"):
        return "a catalog would read a URI that ends in `*` as a prefix"
    why = unusable_key(one.key)
    return f"the URI {why}" if why else ""


def _clash(before: ServerItem, one: ServerItem) -> str:
    if before.definition.sha256 == one.definition.sha256:
        return ""
    if before.key != one.key:
        return f"the server also lists {escaped(before.key[:200])}, which is the same resource for policies"
    if one.key.endswith("*"):
        return "another template has the same prefix and represents both"
    return "the server lists it twice, with different definitions: such calls are refused"
