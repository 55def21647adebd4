"""A bundle names the first gateway version that enforces all of its policy."""

from typing import Any, Final

import pytest

from gateway.policy.lowest_gateway import lowest_gateway


def data(environment: dict[str, Any], server: dict[str, Any]) -> dict[str, Any]:
    return {"environment": environment, "catalog": {"servers": {"s": server, "t": {}}}}


@pytest.mark.parametrize(
    ("environment", "server", "lowest"),
    [
        ({}, {}, "0.1.0"),
        ({"check_schemas": "lenient"}, {"check_output": False, "instructions": None}, "0.1.0"),
        ({"check_schemas": "strict"}, {}, "0.2.0"),
        ({}, {"check_output": True}, "0.2.0"),
        ({}, {"instructions": {"sha256": "00"}}, "0.2.0"),
        ({}, {"record": {"arguments": "digest"}}, "0.3.0"),
    ],
)
def test_a_bundle_needs_the_gateway_that_knows_its_settings(
    environment: dict[str, Any], server: dict[str, Any], lowest: str
) -> None:
    assert lowest_gateway(data(environment, server)) == lowest


def ruled(effect: str, **who: Any) -> dict[str, Any]:
    return data({}, {}) | {"rules": {"r": {"effect": effect, "who": who}}}


def excepted(effect: str, **who: Any) -> dict[str, Any]:
    return data({}, {}) | {"rules": {"r": {"effect": effect, "who": {}, "unless": {"who": who}}}}


def identified(**tables: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"subject": {}, "client_id": {}, "group": {}, "combined": {}}
    return data({}, {}) | {"index": {"identities": {"https://i": empty | tables}}}


@pytest.mark.parametrize(
    ("carried", "lowest"),
    [
        (ruled("deny", groups=["x"]), "0.3.0"),
        (ruled("hold", groups=["x"], agents=["a"]), "0.3.0"),
        (ruled("allow", groups=["x"]), "0.1.0"),
        (ruled("deny", agents=["a"]), "0.1.0"),
        (ruled("deny", subjects=["a"]), "0.3.0"),
        (ruled("deny", client_ids=["a"]), "0.3.0"),
        (ruled("hold", claims={"a": ["b"]}), "0.3.0"),
        (ruled("deny", source=["10.0.0.0/8"]), "0.1.0"),
        (excepted("allow", groups=["x"]), "0.3.0"),
        (excepted("allow", claims={"a": ["b"]}), "0.3.0"),
        (excepted("allow", agents=["a"], source=["10.0.0.0/8"]), "0.1.0"),
        (excepted("deny", groups=["x"]), "0.1.0"),
        (identified(group={"g": "a"}), "0.3.0"),
        (identified(combined={"s": {"c": {"": "a"}}}), "0.3.0"),
        (identified(subject={"s": "a"}, client_id={"c": "a"}), "0.1.0"),
    ],
)
def test_a_rule_by_claims_needs_a_gateway_that_names_unknown_claims(carried: dict[str, Any], lowest: str) -> None:
    assert lowest_gateway(carried) == lowest


def test_rules_that_read_facts_need_the_gateway_that_finds_them_out() -> None:
    facts = {"*": [{"path": "/to", "facts": ["domain"]}]}
    assert lowest_gateway(data({}, {}) | {"index": {"facts": facts}}) == "0.3.0"
    assert lowest_gateway(data({}, {}) | {"index": {"facts": {}}}) == "0.1.0"


RECORDED: Final[dict[str, Any]] = {"record": {"arguments": "full"}}


@pytest.mark.parametrize(
    ("targets", "lowest"),
    [
        ({"tools": {"t": RECORDED}}, "0.3.0"),
        ({"prompts": {}, "resources": {"x://y": RECORDED}}, "0.3.0"),
        ({"resource_prefixes": [{"prefix": "x://"}, RECORDED]}, "0.3.0"),
        ({"tasks": {"tags": [], **RECORDED}}, "0.3.0"),
        ({"tools": {"record": {"tags": []}}, "tasks": None, "resource_prefixes": []}, "0.1.0"),
    ],
)
def test_a_bundle_that_says_what_is_recorded_of_a_target_needs_a_gateway_that_does(
    targets: dict[str, Any], lowest: str
) -> None:
    assert lowest_gateway({"catalog": {"servers": {}, "targets": {"s": targets}}}) == lowest


@pytest.mark.parametrize("damaged", [{}, {"environment": 1, "catalog": []}, {"catalog": {"servers": {"s": None}}}])
def test_damaged_data_needs_no_newer_gateway(damaged: dict[str, Any]) -> None:
    assert lowest_gateway(damaged) == "0.1.0"
