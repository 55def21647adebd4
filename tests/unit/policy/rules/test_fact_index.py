"""The index of facts has the facts that the rules of a server read, including those in nested tests."""

from typing import Any

from gateway.policy.rules.fact_index import fact_index
from gateway.policy.rules.rule_index import rule_index

SERVERS: dict[str, Any] = {name: {"tags": [], "environment": ""} for name in ("mail", "web", "plain")}


def rule(test: dict[str, Any] | None, **what: Any) -> dict[str, Any]:
    conditions = [] if test is None else [{"path": "/to", **test}]
    return {
        "effect": "deny",
        "who": {},
        "what": what,
        "when": None,
        "arguments": conditions,
        "mode": None,
        "expires": None,
    }


def index(**rules: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = {"rules": rules, "catalog": {"servers": SERVERS}}
    return fact_index(data | {"index": {"rules": rule_index(rules, SERVERS)}})


def test_rules_that_read_no_facts_need_no_index() -> None:
    assert index(a=rule(None), b=rule({"prefix": "a"}), c=rule({"any_element": {"not": {"equals": 1}}})) == {}


def test_each_server_has_what_its_rules_read() -> None:
    found = index(
        general=rule({"host": ["a.example"]}),
        mail=rule({"any_element": {"none_of": [{"domain": ["a.example"]}, {"within": ["/a"]}]}}, servers=["mail"]),
        plain=rule({"prefix": "a"}, servers=["plain"]),
    )
    assert found == {
        "*": [{"path": "/to", "facts": ["host"]}],
        "mail": [{"path": "/to", "facts": ["domain", "host", "path"]}],
    }


def test_a_server_whose_rules_alone_read_facts_has_an_entry_and_others_have_none() -> None:
    assert index(web=rule({"not": {"host": ["a.example"]}}, servers=["web"])) == {
        "web": [{"path": "/to", "facts": ["host"]}]
    }
