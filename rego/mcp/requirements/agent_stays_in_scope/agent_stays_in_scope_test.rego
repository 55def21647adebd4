package mcp.requirements.agent_stays_in_scope_test

import data.mcp.lib.fixture_test as fixture

test_is_met_within_servers_and_actions if {
	every scope in [
		{"servers": ["*"], "actions": ["*"]},
		{"servers": ["slack"], "actions": ["read"]},
		{"servers": ["git*", "sla?k"], "actions": ["list", "read"]},
	] {
		not _refused(fixture.call, scope)
	}
}

test_refuses_outside_of_servers_or_actions if {
	every scope in [
		{"servers": ["github"], "actions": ["*"]},
		{"servers": ["Slack"], "actions": ["*"]},
		{"servers": [], "actions": ["*"]},
		{"servers": ["*"], "actions": ["list", "write"]},
		{"servers": ["*"], "actions": []},
	] {
		_refused(fixture.call, scope)
	}
}

test_refuses_a_scope_that_is_damaged if {
	every scope in [
		{"servers": ["*"]},
		{"actions": ["*"]},
		{"servers": "*", "actions": "*"},
		{"servers": [7, null, "["], "actions": ["*"]},
		{"servers": {"slack": false}, "actions": ["*"]},
		null,
		"*",
	] {
		_refused(fixture.call, scope)
	}
	fixture.refuses("agent_stays_in_scope", fixture.call, fixture.without(fixture.bundle, ["agents", "bot", "scope"]))
}

test_takes_an_unknown_action_only_where_all_are_in_scope if {
	not _refused(fixture.tool("mystery"), {"servers": ["*"], "actions": ["*"]})
	_refused(fixture.tool("mystery"), {
		"servers": ["*"],
		"actions": ["read", "write", "delete", "send", "execute", "list", "unknown"],
	})
}

test_asks_of_messages_without_target_only_the_server if {
	not _refused(fixture.message("initialize"), {"servers": ["slack"], "actions": ["read"]})
	_refused(fixture.message("initialize"), {"servers": ["github"], "actions": ["*"]})
}

_refused(question, scope) if {
	policy := fixture.with_agent("scope", scope)
	fixture.refuses("agent_stays_in_scope", question, policy)
}

test_says_what_the_agent_was_not_registered_for if {
	every case in [
		{"scope": {"servers": ["github"], "actions": []}, "because": "Agent `bot` is not registered for server `slack`"},
		{"scope": {"servers": ["*"], "actions": ["list"]}, "because": "Agent `bot` is not registered for the action `read`"},
	] {
		policy := fixture.with_agent("scope", case.scope)
		fixture.because("agent_stays_in_scope", fixture.call, policy) == {case.because}
	}
	narrow := fixture.with_agent("scope", {"servers": ["*"], "actions": ["read"]})
	fixture.because("agent_stays_in_scope", fixture.tool("mystery"), narrow) == {concat(" ", [
		"The action of tool `mystery` is unknown,",
		"and agent `bot` is not registered for every action",
	])}
	gone := fixture.without(fixture.bundle, ["agents", "bot"])
	fixture.because("agent_stays_in_scope", fixture.call, gone) == set()
}
