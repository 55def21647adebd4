"""Index the rules that can apply to a question by server, action and caller (`data.index`).

Rule 1: the index may name too many rules, but never too few: Rego checks every field of a candidate again.
Rule 2: every server of the catalog and `*` have every row, and every row has `any`, so a missing key means damage.
Rule 3: rules, agents and servers are sealed by a digest of their JSON. A damaged entry is a denial.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from gateway.artifact.json_narrowing import Json
from gateway.artifact.pack import canonical
from gateway.policy.rules.name_globs import NameGlobs

ROWS: Final = ("read", "write", "delete", "send", "execute", "list", "unknown", "none")
"""The actions, and `none` for messages without a target."""
_TARGETED: Final = frozenset({"tools", "resources", "prompts", "tool_tags", "data", "reach", "actions"})
_KNOWN: Final = frozenset(ROWS[:6])
_NAMING: Final = ("tools", "resources", "prompts")
"""The fields that name targets; Rego reads a rule only if these match."""
_NARROWING: Final = frozenset({*_NAMING, "tool_tags", "data", "reach"})
_WHO: Final = (
    ("agents", "agent"),
    ("kinds", "kind"),
    ("labels", "label"),
    ("owners", "owner"),
    ("groups", "group"),
    ("subjects", "subject"),
    ("client_ids", "client_id"),
)
"""A rule is indexed under the first of these that it states."""
OF_CLAIMS: Final = {"groups": "groups", "subjects": "subject", "client_ids": "client_id"}
"""The `who` fields that claims answer -> field of the caller; `deny` and `hold` rules also apply if it is unknown."""
_JUDGED: Final = frozenset({"claims", "source"})
"""The fields of `who` that have no key in the index."""
_HTML: Final = ((b"<", b"\\u003c"), (b">", b"\\u003e"), (b"&", b"\\u0026"))


def rule_index(rules: Mapping[str, Json], servers: Mapping[str, Json]) -> Json:
    """Return server id or `*` -> row -> who key -> the settled rules (`allow`) and the rules to evaluate (`look`)."""
    index: Json = {name: {row: {"any": _leaf()} for row in ROWS} for name in ("*", *sorted(servers))}
    catalog = _Catalog(servers)
    for name in sorted(rules):
        rule = rules[name]
        for server in catalog.concerned(rule["what"]):
            for row in _rows(rule):
                for key in _who_keys(rule):
                    _put(index[server][row].setdefault(key, _leaf()), name, rule, row)
    return index


def _leaf() -> Json:
    return {"allow": [], "look": {}}


def _put(leaf: Json, name: str, rule: Json, row: str) -> None:
    if _is_settled(rule, row):
        leaf["allow"].append(name)
    else:
        what = rule["what"]
        hint = {field: what[field] for field in _NAMING if field in what}
        if not hint and "data" in what:
            hint = {"data": what["data"]}
        leaf["look"][name] = None if row == "none" or not hint else hint


def _is_settled(rule: Json, row: str) -> bool:
    """Return whether an allow rule needs no further evaluation if server, row and who key match."""
    timeless = all(rule[field] is None for field in ("mode", "when", "expires")) and rule.get("unless") is None
    if rule["effect"] != "allow" or not timeless or len(rule["who"]) > 1 or _JUDGED & rule["who"].keys():
        return False
    actions = set(rule["what"].get("actions", ["unknown"]))
    every = row != "unknown" or "unknown" in actions or actions >= _KNOWN
    narrow = bool(rule["arguments"]) or bool(_NARROWING & rule["what"].keys())
    return row == "none" or (every and not narrow)


def who_index(agents: Mapping[str, Json], index: Json) -> Json:
    """Return agent id -> its lookup keys in addition to `any`; its groups come from the question."""
    used = {key for server in index.values() for row in server.values() for key in row}
    return {name: [key for key in _agent_keys(name, agent) if key in used] for name, agent in agents.items()}


def by_person(index: Json) -> bool:
    """Return whether some rule is indexed by the subject or the client id of a caller."""
    return any(
        key.startswith(("subject:", "client_id:"))
        for server in index.values()
        for row in server.values()
        for key in row
    )


def _agent_keys(name: str, agent: Json) -> list[str]:
    labels = [f"label:{label}" for label in agent["labels"]]
    return [f"agent:{name}", f"kind:{agent['kind']}", *labels, f"owner:{agent['owner']}"]


def seal(entry: Json) -> str:
    """Return the digest of an entry as OPA's `json.marshal` writes it: sorted, no spaces, with Go's HTML escapes."""
    text = canonical(entry)
    for plain, escaped in _HTML:
        text = text.replace(plain, escaped)
    return hashlib.sha256(text).hexdigest()


class _Catalog:
    """The servers, by the fields that rules select them with."""

    def __init__(self, servers: Mapping[str, Json]) -> None:
        self._names = NameGlobs(servers)
        self._tagged: dict[str, set[str]] = {}
        self._placed: dict[str, set[str]] = {}
        for name, entry in servers.items():
            self._placed.setdefault(entry["environment"], set()).add(name)
            for tag in entry["tags"]:
                self._tagged.setdefault(tag, set()).add(name)

    def concerned(self, what: Json) -> list[str]:
        """Return the servers that a rule selects; `*` if it does not select servers."""
        named = [self._names.matching_any(what["servers"])] if "servers" in what else []
        for field, places in (("server_tags", self._tagged), ("server_environments", self._placed)):
            if field in what:
                named.append(frozenset(name for word in what[field] for name in places.get(word, ())))
        return sorted(name for name in named[0] if all(name in each for each in named)) if named else ["*"]


def _rows(rule: Json) -> list[str]:
    """Return the actions that a rule can apply to (always with `unknown`), and `none` if it can open a server."""
    actions = {*rule["what"].get("actions", ROWS[:-1]), "unknown"}
    general = not _TARGETED & rule["what"].keys() and not rule["arguments"]
    targetless = ["none"] if rule["effect"] != "deny" or general else []
    return [row for row in ROWS if row in actions] + targetless


def _who_keys(rule: Json) -> list[str]:
    who = rule["who"]
    for field, key in _WHO:
        if field in who:
            restricts = field in OF_CLAIMS and rule["effect"] != "allow"
            unknown = [f"unknown:{OF_CLAIMS[field]}"] if restricts else []
            return [*(f"{key}:{value}" for value in dict.fromkeys(who[field])), *unknown]
    return ["any"]
