"""The questions for survivors: deterministic for the same data, limited in number, and of every kind."""

import json
from typing import Any

import pytest

from gateway.artifact.stops_bundle import ROOT, document
from gateway.authoring.mutation.alterations import applied, damaged, places, replaced, without, worded
from gateway.authoring.mutation.question_matrix import MutationEnvironment, table
from gateway.authoring.mutation.questions import principals, questions
from gateway.authoring.mutation.worktrees import Judges
from gateway.policy.rules.rule_index import seal

KINDS = ("agent", "server", "target", "principal")
RULE: dict[str, Any] = {
    "rule": "r",
    "effect": "allow",
    "who": {},
    "what": {"servers": ["a"]},
    "when": None,
    "arguments": [],
    "mode": None,
    "reason": "x",
    "owner": "o",
    "expires": None,
}
DATA: dict[str, Any] = {
    "environment": {"default": "deny", "observe": None},
    "required": [],
    "enforcement": {},
    "catalog": {
        "servers": {"a": {"server": "a", "url": "http://a", "tags": [], "environment": ""}},
        "targets": {
            "a": {
                "tools": {"t": {"action": "read", "pin": None}},
                "prompts": {},
                "resources": {},
                "resource_prefixes": [{"prefix": "x://", "pin": {"sha256": "s", "parts": {"description": "d"}}}],
            }
        },
    },
    "agents": {"bot": {"agent": "bot", "kind": "k", "owner": "o", "labels": [], "expires": None}},
    "rules": {"r": RULE},
    "requirements": {},
    "index": {
        "credentials": {"1" * 64: {"agent": "bot", "expires": None}},
        "identities": {"https://i": {"subject": {"s": "bot"}, "client_id": {}, "group": {"g": "bot"}}},
        "anonymous": "bot",
    },
}


def test_questions_come_from_all_known_principals_and_from_unknown_ones() -> None:
    found = [(each.method, each.subject or each.groups or each.credential_sha256) for each in principals(DATA)]
    assert ("token", "1" * 64) in found
    assert ("token", "f" * 64) in found
    assert ("jwt", "s") in found
    assert any(each.groups == ["g"] for each in principals(DATA))
    assert any(each.method == "none" for each in principals(DATA))


def test_questions_are_about_all_listed_targets_and_about_unlisted_ones() -> None:
    targets = {(each["message"]["method"], each["target"]["name"] or each["target"]["uri"]) for each in questions(DATA)}
    assert {("tools/call", "t"), ("tools/call", "strange"), ("resources/read", "x://below")} <= targets
    assert {("prompts/get", "strange"), ("tools/list", None), ("roots/list", "roots/list")} <= targets
    assert {each["server"]["id"] for each in questions(DATA)} == {"a", "strange"}


def test_the_same_data_gives_the_same_bounded_table() -> None:
    bases = [MutationEnvironment("one", DATA), MutationEnvironment("two", DATA)]
    first, second = table(bases, 4), table(bases, 4)
    assert json.dumps([first.questions, first.pairs]) == json.dumps([second.questions, second.pairs])
    assert first != table(bases, 5)
    assert 500 < len(first.pairs) < 3000
    assert {policy.base for policy in first.policies} == {0, 1}
    assert all(policy < len(first.policies) and question < len(first.questions) for policy, question in first.pairs)


def test_an_altered_policy_has_the_index_that_a_build_would_write() -> None:
    patches = [policy.patch for policy in table([MutationEnvironment("one", DATA)], 4).policies]
    meant = [patch for patch in patches if len(patch) == 2 and patch[0]["path"] == ["rules", "r", "effect"]]
    assert {patch[0]["value"] for patch in meant} == {"deny", "hold"}
    for patch in meant:
        data = applied(DATA, patch)
        assert data["index"]["seals"]["r"] == seal(data["rules"]["r"])
        assert data["index"]["credentials"] == DATA["index"]["credentials"]


def test_policies_are_altered_in_one_place_in_two_and_damaged() -> None:
    patches = [policy.patch for policy in table([MutationEnvironment("one", DATA)], 4).policies]
    assert {len(patch) for patch in patches} == {0, 1, 2, 3}
    assert {operation["op"] for patch in patches for operation in patch} == {"remove", "replace"}


def exists(document: Any, path: list[Any]) -> bool:
    """Return whether OPA finds the place of an operation; elements of a list have numbers."""
    for key in path:
        if isinstance(document, list):
            found: list[Any] = document  # pyright: ignore[reportUnknownVariableType]
            document = found[key] if isinstance(key, int) and key < len(found) else exists
        else:
            document = document.get(key, exists) if isinstance(document, dict) else exists  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        if document is exists:
            return False
    return True


def test_every_patch_of_a_policy_has_existing_places() -> None:
    """One patch with a nonexistent place makes OPA fail for all questions of the table."""
    for seed in range(20):
        made = table([MutationEnvironment("one", DATA)], seed)
        for policy in made.policies:
            data = made.bases[policy.base].data
            for operation in policy.patch:
                assert exists(data, operation["path"]), operation
                data = applied(data, (operation,))


def test_some_policy_stops_each_kind_of_selector() -> None:
    made = table([MutationEnvironment("one", DATA)], 4)
    stops = [policy.patch[0]["value"] for policy in made.policies if policy.patch and policy.patch[0]["path"] == [ROOT]]
    named = {(kind, name) for stop in stops for kind in KINDS for name in stop.get(kind, {}) if name}
    assert named == {("agent", "bot"), ("server", "a"), ("target", "a/t"), ("principal", "s")}
    assert all(base.data[ROOT] == document(())[ROOT] for base in made.bases)


def test_alterations_do_not_change_the_original_document() -> None:
    before = json.dumps(DATA)
    assert replaced(DATA, ("rules", "r", "mode"), "warn")["rules"]["r"]["mode"] == "warn"
    assert "mode" not in without(DATA, ("rules", "r", "mode"))["rules"]["r"]
    assert without({"a": [1, 2, 3]}, ("a", 1)) == {"a": [1, 3]}
    assert replaced({"a": [1, 2]}, ("a", 0), 7) == {"a": [7, 2]}
    with pytest.raises(TypeError):
        replaced({"a": [1, 2]}, ("a", "name"), 7)
    assert all(applied(DATA, patch) != DATA for patch in damaged(DATA))
    assert all(replaced(DATA, path, word) != DATA for path, word in worded(DATA))
    assert (("rules", "r", "mode"), None) in list(places(DATA))
    assert json.dumps(DATA) == before


def test_detecting_tests_run_first_then_the_closest_then_the_quick() -> None:
    tests = Judges(["data.a.b_test", "data.c_test"], ["data.slow_test"])
    assert list(tests.runs("a/b/x.rego")) == [
        r"^(?:data\.a\.b_test)\.",
        r"^(?:data\.c_test)\.",
        r"^(?:data\.slow_test)\.",
    ]
    tests.notice("a/b/x.rego", ["data.c_test.test_one"])
    tests.notice("a/b/x.rego", ["data.c_test.test_two", "data.c_test.test_one"])
    assert next(tests.runs("a/b/x.rego")) == r"^(?:data\.c_test\.test_two|data\.c_test\.test_one)$"
    assert next(tests.runs("c/x.rego")) == r"^(?:data\.c_test)\."
