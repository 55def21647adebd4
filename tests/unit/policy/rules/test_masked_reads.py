"""The index of a bundle lists the masked parts of a record that its policy reads."""

from typing import Any

import pytest

from gateway.policy.rules.masked_reads import read_index, wholesale

LEAF: dict[str, Any] = {"allow": [], "look": {}}


def data(*reads: str, rules: dict[str, list[str]] | None = None) -> dict[str, Any]:
    """Data of two servers: a requirement that reads `reads`, and rules by server or `*` that compare these paths."""
    placed = rules or {}
    rows: dict[str, Any] = {server: {"send": {"any": {"allow": [f"on-{server}"], "look": {}}}} for server in placed}
    return {
        "requirements": {"own": {"reads": list(reads)}, "rules_permit": {"reads": ["input.arguments"]}},
        "catalog": {"servers": {"mail": {}, "files": {}}},
        "rules": {
            f"on-{server}": {"arguments": [{"path": path} for path in paths]} for server, paths in placed.items()
        },
        "index": {"rules": {"*": {"send": {"any": LEAF}}, **rows}},
    }


def test_rules_are_read_on_their_own_servers_only() -> None:
    found = read_index(data(rules={"*": ["/any"], "mail": ["/to", "/deep/a~1b"]}))
    assert found == {
        "*": ["/arguments/any"],
        "files": ["/arguments/any"],
        "mail": ["/arguments/any", "/arguments/deep/a~1b", "/arguments/to"],
    }


def test_a_requirement_is_read_on_every_server() -> None:
    found = read_index(data("input.arguments.to", "input.principal.claims.team", "data.own", rules={"mail": ["/cc"]}))
    assert found["files"] == found["*"] == ["/arguments/to", "/principal/claims/team"]
    assert found["mail"] == ["/arguments/cc", "/arguments/to", "/principal/claims/team"]


@pytest.mark.parametrize(
    ("read", "places"),
    [
        ("input", ["/arguments", "/context/headers", "/principal/claims"]),
        ("input.principal", ["/principal/claims"]),
        ("input.context", ["/context/headers"]),
        ("input.context.time", []),
        ("input.arguments_meta.schema", []),
        ("input.arguments.a/b~c", ["/arguments/a~1b~0c"]),
        ("data.arguments", []),
    ],
)
def test_the_index_has_only_masked_places(read: str, places: list[str]) -> None:
    assert read_index(data(read))["mail"] == places


def test_a_place_inside_another_is_not_listed_twice() -> None:
    assert read_index(data("input.arguments.to", "input.arguments", "input.arguments.a"))["mail"] == ["/arguments"]
    assert read_index(data("input.arguments.to.0", "input.arguments.to-do", "input.arguments.to"))["mail"] == [
        "/arguments/to",
        "/arguments/to-do",
    ]


def test_a_requirement_with_unknown_reads_reads_everything() -> None:
    unknown = data()
    unknown["requirements"]["own"] = {}
    assert read_index(unknown)["mail"] == ["/arguments", "/context/headers", "/principal/claims"]


def test_an_index_with_unknown_rules_reads_every_argument_and_claim() -> None:
    damaged = data(rules={"mail": ["/to"]})
    damaged["rules"] = {}
    assert read_index(damaged)["mail"] == ["/arguments", "/principal/claims"]


def test_of_the_claims_that_rules_read_those_that_they_name_count() -> None:
    ruled = data(rules={"mail": [], "files": []})
    ruled["requirements"]["rules_permit"]["reads"] += ["input.principal.claims", "input.principal.subject"]
    ruled["rules"]["on-mail"]["who"] = {"claims": {"a.b": ["x"], "/realm_access/x~1y": ["z"], "a/b": ["c"]}}
    ruled["rules"]["on-files"]["unless"] = {"who": {"claims": {"team": ["x"]}}}
    elsewhere = "/principal/claims/_claim_names"
    assert read_index(ruled) == {
        "*": [],
        "mail": [
            elsewhere,
            "/principal/claims/a.b",
            "/principal/claims/a~1b",
            "/principal/claims/realm_access/x~1y",
        ],
        "files": [elsewhere, "/principal/claims/team"],
    }


def test_a_requirement_that_reads_all_arguments_is_named_and_the_rules_are_not() -> None:
    assert wholesale(data("input.arguments.to", "input.arguments_meta")) == []
    assert wholesale(data("input.arguments")) == wholesale(data("input")) == ["own"]
