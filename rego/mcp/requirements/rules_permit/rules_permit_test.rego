package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_is_met_where_a_rule_allows_and_none_refuses if {
	not _refused(fixture.call, fixture.bundle)
	_grounds(fixture.call, fixture.bundle) == ["slack-is-read"]
}

test_nothing_is_a_refusal if {
	quiet := _indexed([], [])
	fixture.refuses("rules_permit", fixture.call, quiet)
	fixture.refuses_arguments("rules_permit", fixture.call, quiet)
	fixture.because("rules_permit", fixture.call, quiet) == {concat(" ", [
		"No rule permits agent `bot` the action `read`",
		"on tool `read_channel` of server `slack`",
	])}
	fixture.because("rules_permit", fixture.message("initialize"), quiet) == {concat(" ", [
		"No rule permits agent `bot`",
		"anything on server `slack`",
	])}
}

test_an_environment_may_allow_what_no_rule_refuses if {
	open := fixture.changed(fixture.bundle, ["environment", "default"], "allow")
	_refused(fixture.tool("delete_message"), open)
	_grounds(fixture.call, open) == ["slack-is-read"]
	quiet := fixture.changed(_indexed([], []), ["environment", "default"], "allow")
	not _refused(fixture.call, quiet)
	_grounds(fixture.call, quiet) == ["default"]
	every value in ["deny", "ALLOW", true, null] {
		_refused(fixture.call, fixture.changed(quiet, ["environment", "default"], value))
	}
}

test_deny_beats_hold_beats_allow_in_any_order if {
	deny := _rule({"rule": "x-deny", "effect": "deny"})
	hold := _rule({"rule": "x-hold", "effect": "hold"})
	every order in [["x-deny", "x-hold", "slack-is-read"], ["slack-is-read", "x-hold", "x-deny"], ["x-hold", "x-deny"]] {
		policy := _indexed([deny, hold], order)
		_refused(fixture.call, policy)
		fixture.decision(fixture.call, policy).outcome == "deny"
		_grounds(fixture.call, policy) == ["x-deny"]
	}
	every order in [["x-hold", "slack-is-read"], ["slack-is-read", "x-hold"], ["x-hold"]] {
		policy := _indexed([deny, hold], order)
		not _refused(fixture.call, policy)
		fixture.decision(fixture.call, policy).outcome == "hold"
		_grounds(fixture.call, policy) == ["x-hold"]
	}
}

test_a_refusal_says_which_rule_and_why if {
	fixture.because("rules_permit", fixture.tool("delete_message"), fixture.bundle) == {concat(": ", [
		"Rule `slack-is-kept`",
		"Messages are kept.",
	])}
	silent := _indexed([_edited("slack-is-kept", {"reason": ""})], ["slack-is-kept"])
	fixture.because("rules_permit", fixture.tool("delete_message"), silent) == {"Rule `slack-is-kept` refuses this"}
}

test_an_unknown_action_is_said_to_be_unknown if {
	fixture.because("rules_permit", fixture.tool("mystery"), _indexed([], ["slack-is-read"])) == {concat(" ", [
		"No rule permits agent `bot` to use tool `mystery` of server `slack`.",
		"Its action is unknown, and only a rule for every action applies to it",
	])}
	fixture.because("rules_permit", fixture.tool("mystery"), fixture.bundle) == {concat(" ", [
		"Rule `slack-is-kept` (it applies only because the action of tool `mystery` is unknown):",
		"Messages are kept.",
	])}
	stated := _indexed([_edited("slack-is-kept", {"what": {"actions": ["delete", "unknown"]}})], ["slack-is-kept"])
	fixture.because("rules_permit", fixture.tool("mystery"), stated) == {"Rule `slack-is-kept`: Messages are kept."}
}

test_an_unknown_action_is_each_action_to_a_refusal_and_none_to_a_permission if {
	_refused(fixture.tool("mystery"), fixture.bundle)
	"slack-is-kept" in _grounds(fixture.tool("mystery"), fixture.bundle)
	free := _indexed([], ["slack-is-read"])
	_refused(fixture.tool("mystery"), free)
	every actions in [["unknown"], ["read", "write", "delete", "send", "execute", "list"]] {
		all := _indexed([_edited("slack-is-read", {"what": {"actions": actions}})], ["slack-is-read"])
		not _refused(fixture.tool("mystery"), all)
	}
}

test_a_permission_for_all_but_one_action_permits_no_unknown_one if {
	actions := ["read", "write", "delete", "send", "execute", "list"]
	every action in actions {
		others := [other | some other in actions; other != action]
		_refused(fixture.tool("mystery"), _indexed([_edited("slack-is-read", {"what": {"actions": others}})], ["slack-is-read"]))
	}
}

_of_group := fixture.changed(fixture.call, ["principal", "groups"], ["support", "desk"])

# A rule named x that applies to everything, with a change.
_rule(change) := object.union(object.union(fixture.rule, {"rule": "x"}), change)

_indexed(rules, ids) := fixture.with_rules(rules, ids)

# A rule of the fixture with a change, sealed again as for an author's change.
_edited(id, change) := object.union(fixture.rules[id], change)

_grounds(question, policy) := [ground.rule | some ground in fixture.decision(question, policy).grounds]

_refused(question, policy) if fixture.refuses("rules_permit", question, policy)

_refused(question, policy) if fixture.refuses_arguments("rules_permit", question, policy)
