"""The difference between bundles in sentences; a change that may admit more is never called harmless."""

# ruff: noqa: E501 - a case is a line

import copy
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata, Library
from gateway.artifact.pack import canonical, pack
from gateway.authoring.difference import Change, differences
from gateway.authoring.difference.catalog import catalog_changes

Json = dict[str, Any]
END, LATER, EARLIER = "2027-01-01T00:00:00Z", "2027-06-01T00:00:00Z", "2026-12-24T00:00:00Z"
STOCK = Library(version="0.1.0", digest="a" * 64)


EXCEPTION: Json = {"who": {"labels": ["night"]}, "when": None, "arguments": [{"path": "/to", "absent": True}]}


def rule(effect: str, **fields: Any) -> Json:
    stated: Json = {"who": {"kinds": ["claude-code"]}, "what": {"servers": ["slack"]}, "when": None, "arguments": []}
    words = {"mode": None, "reason": "r", "owner": "o", "expires": None, "file": "rules/a.yaml", "line": 2}
    return {"effect": effect, **stated, **words, **fields}


BASE: Json = {
    "environment": {
        "name": "dev", "default": "deny", "time_zone": "UTC", "require_pins": True, "observe": None,
        "definition_drift": {"schema": "deny"},
    },
    "required": ["rules_permit"],
    "enforcement": {"target_is_listed": {"mode": "warn", "owner": "o", "reason": "r", "expires": END}},
    "catalog": {
        "servers": {
            "slack": {
                "server": "slack", "url": "https://slack.example/mcp", "owner": "o", "trust": "low", "tags": ["chat"],
                "title": "Slack", "credential": None, "large_results": False, "believe_annotations": False,
                "server_requests": ["roots/list"], "definition_drift": {"schema": "deny"},
            },
            "jira": {"server": "jira", "url": "https://jira.example/mcp", "owner": "o", "server_requests": [],
                     "definition_drift": {"schema": "deny"}},
        },
        "targets": {
            "slack": {
                "tools": {"post": {"action": "send", "tags": [], "pin": {"sha256": "1" * 64, "parts": {"description": "2" * 64}}},
                          "read": {"tags": [], "pin": None}},
                "prompts": {}, "resources": {"slack://a": {"action": "read", "tags": [], "pin": None}},
                "resource_prefixes": [{"prefix": "slack://c/", "action": "read", "tags": [], "pin": None}], "tasks": None,
            },
            "jira": {"tools": {}, "prompts": {}, "resources": {}, "resource_prefixes": [], "tasks": None},
        },
    },
    "agents": {
        "bot": {"agent": "bot", "owner": "o", "purpose": "p", "kind": "own", "labels": ["x"], "expires": END,
                "anonymous": False, "scope": {"servers": ["slack"], "actions": ["read"]}},
    },
    "rules": {
        "permits": rule("allow", expires=END),
        "excepts": rule("deny", unless=EXCEPTION),
        "counts": rule("deny", arguments=[{"path": "/n", "above": 5}]),
        "pays": rule("allow", arguments=[{"path": "/to", "every_element": {"domain": ["a.example", "*.b.example"]}}]),
        "refuses": rule("deny", arguments=[{"path": "/to", "glob": "*@rival.example"}]),
        "holds": rule("hold", what={"tools": ["post"]}),
        "watches": rule("deny", mode="shadow", expires=END),
        "waits": rule("allow", mode="shadow", expires=END),
        "people": rule("allow", who={"subjects": ["a"], "claims": {"dept": ["sales"]}}),
    },
    "own": {"recipients": {"domains": ["example.com"], "limit": 3}},
    "index": {
        "rules": {}, "who": {}, "seals": {},
        "credentials": {"d" * 64: {"agent": "bot", "holder": "alice", "expires": END}},
        "identities": {"https://idp.example": {"client_id": {"bot": "bot"}, "subject": {}, "group": {}}},
    },
    "requirements": {"rules_permit": {"title": "Rules", "severity": "high", "arguments": True, "reads": ["input.target"]}},
}  # fmt: skip


def artifact(data: Json, rego: dict[str, bytes] | None = None, **metadata: Any) -> Artifact:
    files = {"data.json": canonical(data), "mcp/admission/x.rego": b"package mcp.admission\n"} | (rego or {})
    stated = replace(BundleMetadata(environment="dev", seq=1, library=STOCK), **metadata)
    read = read_artifact(pack(files, stated, key=None).content)
    assert isinstance(read, Artifact)
    return read


def changes(new: Artifact, old: Artifact | None = None) -> list[Change]:
    found = differences(old or artifact(BASE), new)
    assert isinstance(found, list)
    return found


def at(path: str, value: Any) -> Callable[[], Json]:
    """Return the base data with another value at a path, or without it."""

    def made() -> Json:
        data = copy.deepcopy(BASE)
        *way, last = path.split("/")
        here: Any = data
        for key in way:
            here = here[key]
        if value is GONE:
            del here[last]
        else:
            here[last] = value
        return data

    return made


GONE = object()
SLACK, BOT, TOOLS = "catalog/servers/slack", "agents/bot", "catalog/targets/slack/tools"

CASES: list[tuple[str, Any, str, str]] = [
    ("rules/refuses/what", {"servers": ["slack", "jira"]}, "rule refuses now also concerns server jira", "stricter"),
    ("rules/permits/what", {"servers": ["slack", "jira"]}, "rule permits now also concerns server jira", "looser"),
    ("rules/permits/what", {}, "rule permits now concerns every server, not only server slack", "looser"),
    ("rules/refuses/what", {"servers": ["slack"], "actions": ["send"]}, "rule refuses now concerns only action send", "looser"),
    ("rules/refuses/who", {"kinds": ["other"]}, "rule refuses now also concerns agents of kind other", "stricter"),
    ("rules/refuses/who", {"kinds": ["other"]}, "rule refuses no longer concerns agents of kind claude-code", "looser"),
    ("rules/holds/what", {"tools": ["post"], "resources": ["a"]}, "rule holds now also concerns resource a", "stricter"),
    ("rules/holds/what", {}, "rule holds now concerns every target, not only tool post", "stricter"),
    ("rules/permits/what", {"servers": ["slack"], "prompts": ["p"]}, "rule permits now concerns only prompt p", "stricter"),
    ("rules/refuses/arguments", [], 'rule refuses no longer requires that argument /to: glob "*@rival.example"', "stricter"),
    ("rules/permits/arguments", [{"path": "/n", "equals": 1}], "rule permits now applies only if argument /n: equals 1", "stricter"),
    ("rules/refuses/arguments", [{"path": "/to", "glob": "*@x.example"}], 'rule refuses now applies if argument /to: glob "*@x.example", no longer if /to: glob', "unclear"),
    ("rules/counts/arguments", [{"path": "/n", "above": 10}], "rule counts now applies if argument /n: above 10, no longer if /n: above 5", "looser"),
    ("rules/counts/arguments", [{"path": "/n", "above": 3}], "rule counts now applies if argument /n: above 3", "stricter"),
    ("rules/pays/arguments", [{"path": "/to", "every_element": {"domain": ["a.example"]}}], "rule pays now applies if argument /to: every element: domain in a.example, no longer if", "stricter"),
    ("rules/pays/arguments", [{"path": "/to", "every_element": {"domain": ["a.example", "*.b.example", "c.example"]}}], "rule pays now applies if argument /to", "looser"),
    ("rules/refuses/unless", EXCEPTION, "rule refuses now has an exception: agents labeled night, if argument /to: absent", "looser"),
    ("rules/permits/unless", EXCEPTION, "rule permits now has an exception: agents labeled night", "stricter"),
    ("rules/excepts/unless", None, "rule excepts no longer has an exception: agents labeled night, if argument /to: absent", "stricter"),
    ("rules/excepts/unless", EXCEPTION | {"who": {}}, "rule excepts now has the exception: if argument /to: absent, not: agents labeled night", "unclear"),
    ("rules/excepts", GONE, "rule excepts is removed: deny for agents of kind claude-code, server slack, unless agents labeled night, if argument /to: absent", "looser"),
    ("rules/refuses/when", {"hours": "18:00-08:00"}, "rule refuses now applies only when", "looser"),
    ("rules/refuses/effect", "hold", "rule refuses is now hold, not deny", "looser"),
    ("rules/holds/effect", "deny", "rule holds is now deny, not hold", "stricter"),
    ("rules/permits/expires", LATER, f"rule permits now has expiry `{LATER}`, not `{END}`", "looser"),
    ("rules/permits/expires", None, f"rule permits no longer has expiry `{END}`", "looser"),
    ("rules/refuses/who", {"subjects": ["alice"]}, "rule refuses now concerns only subject alice", "looser"),
    ("rules/permits/who", {"kinds": ["claude-code"], "subjects": ["a"]}, "rule permits now concerns only subject a", "stricter"),
    ("rules/permits/who", {"client_ids": ["a"]}, "rule permits now concerns only client id a", "stricter"),
    ("rules/refuses/who", {"source": ["10.0.0.0/8"]}, "rule refuses now concerns only callers from 10.0.0.0/8", "looser"),
    ("rules/watches/who", {"claims": {"level": [3, "x"], "a": [True]}}, "rule watches now concerns only callers whose claim level is `3` and x", "looser"),
    ("rules/people/who", {"claims": {"dept": ["sales", "legal"]}, "subjects": ["a"]}, "rule people now also concerns callers whose claim dept is legal", "looser"),
    ("rules/people/who", {"claims": {"dept": ["legal"]}, "subjects": ["a"]}, "rule people no longer concerns callers whose claim dept is sales", "stricter"),
    ("rules/people/who", {"subjects": ["a"]}, "rule people now concerns callers with any claim dept or none, not only callers whose claim dept is sales", "looser"),
    ("rules/people/who", {"claims": {"dept": ["sales"]}}, "rule people now concerns callers of every subject or none, not only subject a", "looser"),
    ("rules/people/who", {"claims": {"dept": ["sales"], "x": [1]}, "subjects": ["a"]}, "rule people now concerns only callers whose claim x is `1`", "stricter"),
    ("rules/people", GONE, "rule people is removed: allow for subject a, callers whose claim dept is sales, server slack", "stricter"),
    ("rules/refuses/expires", END, f"rule refuses now has expiry `{END}`", "looser"),
    ("rules/refuses/mode", "shadow", "rule refuses now has mode", "looser"),
    ("rules/permits/mode", "warn", "rule permits now has mode", "stricter"),
    ("rules/watches/mode", None, "rule watches no longer has mode", "unclear"),
    ("rules/waits/mode", None, "rule waits no longer has mode", "looser"),
    ("rules/watches/expires", LATER, "rule watches now has mode", "looser"),
    ("rules/watches/expires", EARLIER, "rule watches now has mode", "stricter"),
    ("rules/refuses/reason", "other", "rule refuses now has reason `other`, not `r`", "same"),
    ("rules/refuses/line", 9, "rule lines: 1 rules moved to other lines", "same"),
    ("rules/refuses/color", "blue", "rule refuses now has color `blue`", "unclear"),
    ("rules/refuses", GONE, "rule refuses is removed: deny for agents of kind claude-code, server slack, if argument /to:", "looser"),
    ("rules/watches", GONE, "rule watches is removed: deny (shadow only)", "looser"),
    ("rules/waits", GONE, "rule waits is removed: allow (shadow only)", "same"),
    ("rules/permits", GONE, "rule permits is removed: allow", "stricter"),
    ("rules/more", rule("allow"), "rule more is new: allow for agents of kind claude-code, server slack", "looser"),
    ("rules/more", rule("deny", who={}, what={}), "rule more is new: deny for everything", "stricter"),
    ("environment/default", "allow", "environment now defaults to allow if no rule applies, not to deny", "looser"),
    ("environment/require_pins", False, "environment no longer refuses targets without a pin", "looser"),
    ("environment/observe", {"owner": "o", "reason": "r", "expires": END}, "environment now has observe", "looser"),
    ("environment/time_zone", "Asia/Tokyo", "environment now has time_zone `Asia/Tokyo`, not `UTC`", "unclear"),
    ("environment/definition_drift", {"schema": "warn"}, "environment treats a changed definition (schema) as warn, not deny", "looser"),
    ("required", [], "environment no longer requires rules_permit", "looser"),
    (f"{SLACK}/record", {"arguments": "full"}, "server slack has its arguments recorded as full, not as the settings specify", "same"),
    (f"{TOOLS}/post/record", {"arguments": "digest"}, "target tool post of server slack has its arguments recorded as digest", "same"),
    ("required", ["rules_permit", "x"], "environment now requires x", "stricter"),
    ("enforcement/target_is_listed", GONE, "enforcement of target_is_listed is deny again", "stricter"),
    ("enforcement/x", {"mode": "hold", "expires": END, "reason": "r"}, "enforcement of x is hold until", "looser"),
    ("enforcement/target_is_listed/mode", "shadow", "enforcement of target_is_listed is shadow until", "looser"),
    ("enforcement/target_is_listed/mode", "hold", "enforcement of target_is_listed is hold until", "stricter"),
    ("enforcement/target_is_listed/expires", LATER, f"enforcement of target_is_listed is warn until {LATER}", "looser"),
    ("requirements/rules_permit", GONE, "requirement rules_permit is removed: Rules", "looser"),
    ("requirements/x", {"title": "X", "reads": []}, "requirement x is new: X", "stricter"),
    ("requirements/rules_permit/reads", ["input.server"], "requirement rules_permit now reads input.server", "unclear"),
    ("requirements/rules_permit/severity", "low", "requirement rules_permit now has severity `low`, not `high`", "same"),
    (f"{SLACK}/url", "https://x/", "server slack now has url `https://x/`, not `https://slack.example/mcp`", "unclear"),
    (f"{SLACK}/instructions", {"sha256": "a"}, "server slack now has pinned instructions", "stricter"),
    (f"{SLACK}/title", "S", "server slack now has title `S`, not `Slack`", "same"),
    (f"{SLACK}/trust", "high", "server slack now has trust `high`, not `low`", "unclear"),
    (f"{SLACK}/believe_annotations", True, "server slack now has believe_annotations `true`, not `false`", "looser"),
    (f"{SLACK}/server_requests", ["roots/list", "elicitation/create"], "server slack may now ask the client for elicitation/create", "looser"),
    (f"{SLACK}/definition_drift", {"schema": "allow"}, "server slack treats a changed definition (schema) as allow, not deny", "looser"),
    (SLACK, GONE, "server slack is removed: https://slack.example/mcp, owner o", "stricter"),
    (f"{TOOLS}/more", {"action": "read", "tags": [], "pin": None}, "target tool more of server slack is new: action read", "looser"),
    (f"{TOOLS}/post", GONE, "target tool post of server slack is removed: action send, pinned", "stricter"),
    (f"{TOOLS}/post/action", "read", "target tool post of server slack is now read, not send", "unclear"),
    (f"{TOOLS}/read/action", "read", "target tool read of server slack is now read, not unknown", "unclear"),
    (f"{TOOLS}/post/pin", None, "target tool post of server slack is no longer pinned", "looser"),
    (f"{TOOLS}/read/pin", {"sha256": "3" * 64, "parts": {}}, "target tool read of server slack is now pinned", "stricter"),
    (f"{TOOLS}/post/pin/parts", {"description": "3" * 64}, "target tool post of server slack is pinned to another definition (description)", "unclear"),
    ("catalog/targets/slack/resource_prefixes", [], "target resource slack://c/* of server slack is removed", "stricter"),
    ("catalog/targets/jira/tasks", {"action": "read"}, "target tasks of server jira is new: action read", "looser"),
    (f"{BOT}/scope", {"servers": ["*"], "actions": ["read"]}, "agent bot may now use server *", "looser"),
    (f"{BOT}/scope", {"servers": ["*"], "actions": ["read"]}, "agent bot may no longer use server slack", "stricter"),
    (f"{BOT}/expires", None, f"agent bot no longer has expiry `{END}`", "looser"),
    (f"{BOT}/expires", EARLIER, f"agent bot now has expiry `{EARLIER}`, not `{END}`", "stricter"),
    (f"{BOT}/anonymous", True, "agent bot is now the agent of callers without a credential", "looser"),
    (f"{BOT}/labels", ["y"], 'agent bot now has labels `["y"]`, not `["x"]`', "unclear"),
    (f"{BOT}/purpose", "q", "agent bot now has purpose `q`, not `p`", "same"),
    ("agents/new", {**BASE["agents"]["bot"], "anonymous": True}, "agent new is new: own, owner o, for callers without a credential", "looser"),
    ("index/credentials/" + "e" * 64, {"agent": "bot", "holder": "bob", "expires": None}, "agent bot now has the token eeeeeeeeeeee of bob", "looser"),
    ("index/credentials/" + "d" * 64, GONE, "agent bot no longer has the token dddddddddddd of alice", "stricter"),
    ("index/credentials/" + "d" * 64 + "/expires", None, f"agent bot has the token dddddddddddd of alice, which now expires never, not {END}", "looser"),
    ("own/recipients/domains", ["example.com", "rival.example"], "data own.recipients /domains now has `rival.example`", "unclear"),
    ("own/recipients/limit", 4, "data own.recipients now has /limit `4`, not `3`", "unclear"),
    ("own/more", {}, "data own.more now has the value `{}`", "unclear"),
    ("new_of_a_newer_build", {}, "data new_of_a_newer_build differs", "unclear"),
    ("index/seals", {"permits": "x"}, "bundle differs in content that cannot be described here", "unclear"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "said", "effect"), CASES)
def test_a_change_is_reported_with_its_effect(path: str, value: Any, said: str, effect: str) -> None:
    found = changes(artifact(at(path, value)()))
    assert [change.effect for change in found if str(change).startswith(said)] == [effect], list(map(str, found))


def test_changed_identities_of_an_agent_are_reported() -> None:
    data = copy.deepcopy(BASE)
    data["index"]["identities"]["https://idp.example"]["client_id"] = {"robot": "bot"}
    assert [(str(change), change.effect) for change in changes(artifact(data))] == [
        ("agent bot is now also client_id robot at https://idp.example", "looser"),
        ("agent bot is no longer client_id bot at https://idp.example", "stricter"),
    ]


def test_a_drift_that_servers_inherit_from_the_environment_is_reported_once() -> None:
    data = copy.deepcopy(BASE)
    for place in (data["environment"], *data["catalog"]["servers"].values()):
        place["definition_drift"] = {"schema": "allow"}
    assert len(changes(artifact(data))) == 1


def test_other_changes_of_a_rule_with_a_changed_effect_are_unclear() -> None:
    data = copy.deepcopy(BASE)
    data["rules"]["refuses"] |= {"effect": "allow", "what": {"servers": ["slack", "jira"]}}
    assert {change.effect for change in changes(artifact(data))} == {"looser", "unclear"}


def test_the_team_of_a_changed_rule_is_named() -> None:
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    new["rules"]["more"] = rule("deny", what={}, who={}, team="crm")
    old["rules"]["gone"] = rule("deny", what={}, who={}, team="mail")
    for data, team in ((old, "crm"), (new, "mail")):
        data["rules"]["moves"] = rule("deny", what={}, who={}, team=team)
    found = changes(artifact(new), artifact(old))
    assert [(str(change), change.team, change.effect) for change in found] == [
        ("rule gone (team mail) is removed: deny for everything", "mail", "looser"),
        ("rule more (team crm) is new: deny for everything", "crm", "stricter"),
        ("rule moves (team mail) now has team `mail`, not `crm`", "mail", "same"),
    ]


def test_a_rule_of_an_earlier_bundle_gains_its_team() -> None:
    data = copy.deepcopy(BASE)
    data["rules"]["holds"]["team"] = "crm"
    (change,) = changes(artifact(data))
    assert (str(change), change.effect) == ("rule holds (team crm) now has team `crm`", "same")


def test_the_same_content_with_another_sequence_number_has_no_changes() -> None:
    assert changes(artifact(BASE)) == []
    assert changes(artifact(BASE, seq=2)) == []


def test_a_changed_stock_library_and_its_rego_are_reported() -> None:
    newer = artifact(
        BASE, {"mcp/lib/x/x.rego": b"package mcp.lib.x\n"}, library=Library(version="0.2.0", digest="b" * 64)
    )
    assert [(str(change), change.effect) for change in changes(newer)] == [
        ("rego mcp/lib/x/x.rego is new", "unclear"),
        ("bundle now contains the stock library 0.2.0 (bbbbbbbbbbbb), not 0.1.0 (aaaaaaaaaaaa)", "unclear"),
    ]


def test_the_combiner_is_reported_only_if_nothing_else_explains_its_change() -> None:
    generated = {"mcp/admission/requirements.rego": b"package mcp.admission\n"}
    assert [change.about for change in changes(artifact(BASE, generated))] == ["rego"]
    data = at("requirements/x", {"title": "X", "reads": []})()
    assert [change.about for change in changes(artifact(data, generated))] == ["requirement"]


def test_changed_metadata_of_a_bundle_are_reported() -> None:
    found = changes(
        artifact(BASE, environment="prod", seq=0, commit="c", reverts="dev@1.1", input_schema="mcp.input/v2")
    )
    assert {str(change).split(" `")[0] for change in found} == {
        "bundle now has environment",
        "bundle now has input_schema",
        "bundle now has commit",
        "bundle now has reverts",
        "bundle has the lower sequence number 0: a gateway that enforced 1 rejects it",
    }


def test_a_bundle_that_is_not_a_policy_bundle_is_an_error() -> None:
    assert differences(artifact({"emergency": {}}), artifact(BASE)) == (
        f"{artifact({'emergency': {}}).revision} is not a policy bundle"
    )


def test_long_values_and_many_values_are_shortened() -> None:
    data = at("own/recipients", {f"key{number}": "x" * 1000 for number in range(100)})()
    found = [str(change) for change in changes(artifact(data))]
    assert len(found) == 21
    assert max(map(len, found)) < 400
    assert found[-1] == "data own.recipients differs in 82 more values"


@pytest.mark.parametrize(
    ("before", "after", "what", "effect"),
    [
        ({"sha256": "a"}, {"sha256": "b"}, "has different pinned instructions", "unclear"),
        ({"sha256": "a"}, None, "no longer has pinned instructions", "looser"),
    ],
)
def test_a_changed_pin_of_instructions_is_a_change(before: Any, after: Any, what: str, effect: str) -> None:
    old, new = (at(f"{SLACK}/instructions", pin)() for pin in (before, after))
    assert list(catalog_changes(BASE, at(f"{SLACK}/instructions", None)())) == []
    (found,) = catalog_changes(old, new)
    assert (found.what, found.effect) == (what, effect)


CLASSES: Json = {"classes": ["pii", "general"], "unclassified": "general"}


def classified(**changes: Any) -> Json:
    """Return the base data with data classes: Slack and its targets are not classified, except one tool."""
    data = copy.deepcopy(BASE)
    data["environment"]["data_classes"] = {**CLASSES, **changes}
    for server, targets in data["catalog"]["targets"].items():
        data["catalog"]["servers"][server] |= {"data": ["general"], "reach": None}
        for each in (*targets["tools"].values(), *targets["resources"].values(), *targets["resource_prefixes"]):
            each |= {"data": ["general"], "reach": None}
    data["catalog"]["targets"]["slack"]["tools"]["post"]["data"] = ["pii"]
    data["agents"]["bot"]["clearance"] = ["pii"]
    return data


def told(change: Callable[[Json], None]) -> list[tuple[str, str]]:
    after = classified()
    change(after)
    return [(str(each), each.effect) for each in changes(artifact(after), artifact(classified()))]


def test_changed_data_classes_and_clearances_are_reported_with_their_effect() -> None:
    slack = "catalog/targets/slack/tools"
    cases: list[tuple[str, Any, str, str]] = [
        (f"{slack}/post/data", ["pii", "x"], "target tool post of server slack now holds data of class x", "stricter"),
        (f"{slack}/post/data", ["general"], "target tool post of server slack no longer holds data of class pii", "looser"),
        (f"{slack}/post/reach", "external", "target tool post of server slack now has reach `external`", "looser"),
        ("catalog/servers/slack/data", ["pii"], "server slack now holds data of class pii", "stricter"),
        ("catalog/servers/slack/reach", "internal", "server slack now has reach `internal`", "looser"),
        ("agents/bot/clearance", ["pii", "x"], "agent bot is now cleared for data of class x", "looser"),
        ("agents/bot/clearance", [], "agent bot is no longer cleared for data of class pii", "stricter"),
        ("environment/data_classes", None, "environment no longer lists the data classes pii and general: agents do not need clearance", "looser"),
        ("environment/data_classes/classes", ["pii", "general", "x"], "environment now lists the data class x", "same"),
        ("environment/data_classes/unclassified", "pii", "environment now has data class for unclassified targets `pii`, not `general`", "unclear"),
    ]  # fmt: skip
    for path, value, said, effect in cases:
        *way, last = path.split("/")

        def change(data: Json, way: list[str] = way, last: str = last, value: Any = value) -> None:
            here: Any = data
            for key in way:
                here = here[key]
            here[last] = value

        assert (said, effect) in told(change), (said, told(change))


def test_a_removed_reach_is_stricter_and_a_different_reach_is_unclear() -> None:
    before = classified()
    before["catalog"]["servers"]["slack"]["reach"] = "external"
    for value, effect in ((None, "stricter"), ("internal", "unclear")):
        after = copy.deepcopy(before)
        after["catalog"]["servers"]["slack"]["reach"] = value
        assert [each.effect for each in changes(artifact(after), artifact(before))] == [effect]


def test_a_change_that_targets_inherit_from_their_server_is_reported_once() -> None:
    def change(data: Json) -> None:
        for each in (data["catalog"]["servers"]["slack"], data["catalog"]["targets"]["slack"]["tools"]["read"]):
            each |= {"data": ["pii"], "reach": "internal"}

    assert [said for said, _ in told(change)] == [
        "server slack now holds data of class pii",
        "server slack no longer holds data of class general",
        "server slack now has reach `internal`",
    ]


def test_a_new_list_of_classes_is_reported_once_and_is_stricter() -> None:
    found = changes(artifact(classified()), artifact(BASE))
    assert ("environment now lists the data classes pii and general: agents need clearance for the data they use", "stricter") in [
        (str(each), each.effect) for each in found
    ]  # fmt: skip
    assert [str(each) for each in found if each.about in {"server", "target"}] == []


def test_a_changed_class_for_unclassified_targets_is_reported_once() -> None:
    after = classified(unclassified="pii")
    for server, targets in after["catalog"]["targets"].items():
        for each in (*targets["tools"].values(), *targets["resources"].values(), *targets["resource_prefixes"]):
            each["data"] = ["pii"]
        after["catalog"]["servers"][server]["data"] = ["pii"]
    assert len(changes(artifact(after), artifact(classified()))) == 1


def test_the_text_of_a_rule_about_data_names_the_classes() -> None:
    before, after = classified(), classified()
    before["rules"] = {"fence": rule("deny", what={"data": ["pii"], "reach": "external"})}
    after["rules"] = {"fence": rule("deny", what={"data": ["pii", "x"], "reach": "internal"})}
    assert [(str(each), each.effect) for each in changes(artifact(after), artifact(before))] == [
        ("rule fence now also concerns data of class x", "stricter"),
        ("rule fence now also concerns targets that are internal", "stricter"),
        ("rule fence no longer concerns targets that are external", "looser"),
    ]
    after["rules"] = {}
    (gone,) = changes(artifact(after), artifact(before))
    assert "deny for agents of kind claude-code, data of class pii, targets that are external" in str(gone)
    after["rules"] = {"fence": rule("deny", what={})}
    assert {str(each) for each in changes(artifact(after), artifact(before))} == {
        "rule fence now concerns data of every class, not only data of class pii",
        "rule fence now concerns internal and external targets, not only targets that are external",
    }
