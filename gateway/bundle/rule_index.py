"""Which rules can concern a question, by server, action and who asks (`data.index`).

Rule 1: the index may name too many rules, never too few: Rego checks every field of a candidate again.
Rule 2: every server of the catalog and `*` have every row, and every row has `any`, so that an absent key is damage.
Rule 3: rules, agents and servers are sealed by a digest over their JSON: one that was damaged refuses.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from gateway.bundle.pack import canonical
from gateway.bundle.plain import Json

ROWS: Final = ("read", "write", "delete", "send", "execute", "list", "unknown", "none")
"""The actions, and `none` for messages without a target."""
_TARGETED: Final = frozenset({"tools", "resources", "prompts", "tool_tags", "actions"})
_WHO: Final = (("agents", "agent"), ("kinds", "kind"), ("labels", "label"), ("owners", "owner"), ("groups", "group"))
"""The first of these that a rule states is the one that it is indexed under."""
_HTML: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


def rule_index(rules: Mapping[str, Json], servers: Mapping[str, Json]) -> Json:
    """Server id or `*` -> row -> who key -> rule ids."""
    index: Json = {name: {row: {"any": []} for row in ROWS} for name in ("*", *sorted(servers))}
    for name in sorted(rules):
        rule = rules[name]
        for server in _servers(rule["what"], servers):
            for row in _rows(rule):
                for key in _who_keys(rule["who"]):
                    index[server][row].setdefault(key, []).append(name)
    return index


def who_index(agents: Mapping[str, Json], index: Json) -> Json:
    """Agent id -> the keys that its questions look under, `any` first; its groups come from the question."""
    used = {key for server in index.values() for row in server.values() for key in row}
    return {name: ["any", *(key for key in _agent_keys(name, agent) if key in used)] for name, agent in agents.items()}


def _agent_keys(name: str, agent: Json) -> list[str]:
    labels = [f"label:{label}" for label in agent["labels"]]
    return [f"agent:{name}", f"kind:{agent['kind']}", *labels, f"owner:{agent['owner']}"]


def seal(entry: Json) -> str:
    """The digest over an entry as OPA's `json.marshal` writes it: sorted, without spaces, with Go's HTML escapes."""
    text = canonical(entry)
    for plain, escaped in _HTML:
        text = text.replace(plain, escaped)
    return hashlib.sha256(text).hexdigest()


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


def _rows(rule: Json) -> list[str]:
    """The actions that a rule can concern (`unknown` is all of them), and `none` where it can open a server."""
    actions = {*rule["what"].get("actions", ROWS[:-1]), "unknown"}
    general = not _TARGETED & rule["what"].keys() and not rule["arguments"]
    targetless = ["none"] if rule["effect"] != "deny" or general else []
    return [row for row in ROWS if row in actions] + targetless


def _who_keys(who: Json) -> list[str]:
    for field, key in _WHO:
        if field in who:
            return [f"{key}:{value}" for value in dict.fromkeys(who[field])]
    return ["any"]


def matches(glob: str, text: str) -> bool:
    """True where a glob of rules (`*` any characters, `?` any one) matches the whole text."""
    pattern = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in glob)
    return re.fullmatch(pattern, text, re.DOTALL) is not None
