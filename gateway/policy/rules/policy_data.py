"""Compile the data of a bundle (`data.json`) from the checked documents of one environment.

Rule 1: the data is complete: every optional value is written out, so a missing value means damage and is a denial.
Rule 2: every lookup of a decision is by key. The indexes are built once, here.
Rule 3: nothing is looked up, merged or guessed: the bundle carries what the documents say.
"""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final

from gateway.admission.uri_patterns import normal_key, normal_pattern
from gateway.artifact.json_narrowing import Json
from gateway.policy.rules.data_classes import held, reach
from gateway.policy.rules.directory_scopes import Scopes
from gateway.policy.rules.fact_index import fact_index
from gateway.policy.rules.identity_index import identity_index
from gateway.policy.rules.masked_reads import read_index
from gateway.policy.rules.rule_index import by_person, rule_index, seal, who_index
from gateway.policy.sources.environment import Environment

_SERVER: Final[Mapping[str, Any]] = {
    "title": "",
    "owner": "",
    "trust": "low",
    "environment": "",
    "tags": [],
    "credential": None,
    "timeout_s": 60,
    "large_results": False,
    "check_output": False,
    "instructions": None,
    "believe_annotations": False,
    "server_requests": [],
    "reach": None,
}
_INHERITED: Final[Mapping[str, Any]] = {"definition_drift": {}, "check_formats": False}
"""Defaults that a server takes from the environment if its own entry does not state them."""
_TARGET: Final[Mapping[str, Any]] = {"tags": [], "pin": None}
_AGENT: Final[Mapping[str, Any]] = {"labels": [], "clearance": [], "expires": None, "anonymous": False}
_SCOPE: Final[Mapping[str, Any]] = {"servers": ["*"], "actions": ["*"]}
_OF_BUILD: Final = frozenset({"required", "groups", "claims", "allow_expires_within_days"})
"""Keys of `environment.yaml` that only the build reads, or that are elsewhere in the data."""
_RULE: Final[Mapping[str, Any]] = {
    "who": {},
    "what": {},
    "when": None,
    "arguments": [],
    "unless": None,
    "mode": None,
    "reason": "",
    "owner": "",
    "expires": None,
}
_EXCEPTION: Final[Mapping[str, Any]] = {"who": {}, "when": None, "arguments": []}
_ENVIRONMENT: Final[Mapping[str, Any]] = {
    "default": "deny",
    "time_zone": "UTC",
    "require_pins": False,
    "check_schemas": "lenient",
    "check_formats": False,
    "observe": None,
    "data_classes": None,
}


def bundle_data(environment: Environment, requirements: Mapping[str, Any]) -> Json:
    """Return the bundle's data; `requirements` describes the requirements of the staged tree, by name."""
    settings = environment.settings.value
    servers = {entry["server"]: entry for entry in _values(environment.catalog)}
    agents = {entry["agent"]: entry for entry in environment.agent_entries()}
    scopes = Scopes(environment.scopes)
    rules = {
        entry["rule"]: {**_RULE, **_rule(entry), "file": file, "line": line, **scopes.team_of(environment.name, file)}
        for entry, file, line in environment.rule_entries()
    }
    registered = {name: _agent(entry) for name, entry in agents.items()}
    catalog = {
        "servers": {name: _server(entry, settings) for name, entry in servers.items()},
        "targets": {name: _targets(entry, settings) for name, entry in servers.items()},
    }
    data: Json = {
        "environment": {**_ENVIRONMENT, **{key: value for key, value in settings.items() if key not in _OF_BUILD}},
        "required": settings.get("required", []),
        "enforcement": environment.enforcement_entries(),
        "catalog": catalog,
        "agents": registered,
        "rules": rules,
        "own": {PurePosixPath(document.file).stem: document.value for document in environment.own},
        "requirements": dict(requirements),
    }
    return data | {"index": _credentials(agents) | derived(data)}


def _values(documents: Iterable[Any]) -> list[Json]:
    return [document.value for document in documents]


def _server(entry: Json, settings: Json) -> Json:
    own = {key: value for key, value in entry.items() if key not in {"tools", "prompts", "resources", "tasks"}}
    if "instructions" in own:
        own["instructions"] = {"sha256": own["instructions"]["sha256"]}
    inherited = {key: entry.get(key, settings.get(key, default)) for key, default in _INHERITED.items()}
    return {**_SERVER, **own, **inherited, "data": held(entry, {}, settings)}


def _targets(entry: Json, settings: Json) -> Json:
    completed = partial(_target, entry, settings)
    resources = {normal_key(uri): completed(target) for uri, target in entry.get("resources", {}).items()}
    prefixes = [{"prefix": uri[:-1], **target} for uri, target in resources.items() if uri.endswith("*")]
    tasks = entry.get("tasks")
    return {
        "tools": {name: completed(target) for name, target in entry.get("tools", {}).items()},
        "prompts": {name: completed(target) for name, target in entry.get("prompts", {}).items()},
        "resources": {uri: target for uri, target in resources.items() if not uri.endswith("*")},
        "resource_prefixes": sorted(prefixes, key=lambda each: (-len(each["prefix"]), each["prefix"])),
        "tasks": None if tasks is None else completed(tasks),
    }


def _rule(entry: Json) -> Json:
    """Return the rule with globs of URIs in normal form, and without the build's waiver.

    `expires` ends the waiver of a `deny` or `hold` rule, not the rule itself. An `allow` ends with its waiver.
    """
    rule = {key: value for key, value in entry.items() if key != "not_yet"}
    if "not_yet" in entry and "mode" not in entry and entry["effect"] != "allow":
        del rule["expires"]
    if "unless" in entry:
        rule["unless"] = {**_EXCEPTION, **entry["unless"]}
    patterns = entry.get("what", {}).get("resources")
    if patterns:
        rule["what"] = {**entry["what"], "resources": list(dict.fromkeys(map(normal_pattern, patterns)))}
    return rule


def _target(server: Json, settings: Json, target: Json) -> Json:
    """Return the entry with the values from its server, and without the values that only the build reads."""
    carried = {key: value for key, value in target.items() if key != "reviewed"}
    return {**_TARGET, **carried, "data": held(server, target, settings), "reach": reach(server, target)}


def _agent(entry: Json) -> Json:
    kept = {key: value for key, value in entry.items() if key not in {"tokens", "identities"}}
    return {**_AGENT, **kept, "scope": {**_SCOPE, **entry.get("scope", {})}}


def derived(data: Json) -> Json:
    """Return the indexes: rules by server, keys of agents, seals, and the parts of a question that are read."""
    rules, agents, servers = data["rules"], data["agents"], data["catalog"]["servers"]
    index = rule_index(rules, servers)
    facts = fact_index(data | {"index": {"rules": index}})
    return ({"facts": facts} if facts else {}) | {
        "rules": index,
        "reads": read_index(data | {"index": {"rules": index}}),
        "who": who_index(agents, index),
        "people": by_person(index),
        "seals": {name: seal(rule) for name, rule in rules.items()},
        "agent_seals": {name: seal(agent) for name, agent in agents.items()},
        "server_seals": {name: seal(server) for name, server in servers.items()},
    }


def _credentials(agents: Json) -> Json:
    """Return the indexes for verified principals: by token digest, by identity, and the anonymous agent."""
    index: Json = {
        "credentials": {
            token["sha256"]: {"agent": name, "holder": token.get("holder", ""), "expires": token.get("expires")}
            for name, entry in agents.items()
            for token in entry.get("tokens", [])
        },
        "identities": identity_index(agents),
    }
    anonymous = [name for name, entry in agents.items() if entry.get("anonymous", False)]
    return index | ({"anonymous": anonymous[0]} if anonymous else {})
