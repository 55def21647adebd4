"""Which rules can concern a question, by server and by who asks (`data.index.rules`).

Rule 1: the index may name too many rules, never too few: Rego checks every field of a candidate again.
Rule 2: every server of the catalog and `*` are present, so that an absent key is damage.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from gateway.bundle.plain import Json

_WHO: Final = (("agents", "agent"), ("kinds", "kind"), ("labels", "label"), ("owners", "owner"), ("groups", "group"))
"""The first of these that a rule states is the one that it is indexed under."""


def rule_index(rules: Mapping[str, Json], servers: Mapping[str, Json]) -> Json:
    """Server id or `*` -> who key -> rule ids."""
    index: Json = {name: {"any": []} for name in ("*", *sorted(servers))}
    for name in sorted(rules):
        for server in _servers(rules[name]["what"], servers):
            for key in _who_keys(rules[name]["who"]):
                index[server].setdefault(key, []).append(name)
    return index


def _servers(what: Json, servers: Mapping[str, Json]) -> list[str]:
    """The catalog's servers that a rule names; `*` where it names none in particular."""
    if not {"servers", "server_tags", "server_environments"} & what.keys():
        return ["*"]
    return sorted(name for name, entry in servers.items() if _concerns(what, name, entry))


def _concerns(what: Json, name: str, entry: Json) -> bool:
    named = "servers" not in what or any(matches(glob, name) for glob in what["servers"])
    tagged = "server_tags" not in what or bool({*what["server_tags"]} & {*entry["tags"]})
    placed = "server_environments" not in what or entry["environment"] in what["server_environments"]
    return named and tagged and placed


def _who_keys(who: Json) -> Iterable[str]:
    for field, key in _WHO:
        if field in who:
            return [f"{key}:{value}" for value in dict.fromkeys(who[field])]
    return ["any"]


def matches(glob: str, text: str) -> bool:
    """True where a glob of rules (`*` any characters, `?` any one) matches the whole text."""
    pattern = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
    return re.fullmatch(pattern, text, re.DOTALL) is not None
