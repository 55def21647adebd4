package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_a_restriction_of_a_group_binds_whose_groups_are_unknown if {
	every who in [{"groups": ["sales"]}, {"groups": ["sales"], "agents": ["bot"]}, {"groups": ["x", "y"], "labels": ["support"]}] {
		_outcome([], {"effect": "deny", "who": who}) == "allow"
		_outcome(["groups"], {"effect": "deny", "who": who}) == "deny"
		_outcome(["groups"], {"effect": "hold", "who": who}) == "hold"
		_outcome(["subject", "client_id", "scopes"], {"effect": "deny", "who": who}) == "allow"
	}
}

test_an_unknown_claim_hides_nothing_else_that_a_rule_states if {
	every change in [
		{"who": {"groups": ["sales"], "agents": ["other"]}},
		{"who": {"groups": ["sales"]}, "what": {"tools": ["other"]}},
		{"who": {"groups": ["sales"]}, "when": {"days": ["monday"]}},
		{"who": {"groups": ["sales"]}, "expires": "2020-01-01T00:00:00Z"},
	] {
		_outcome(["groups"], object.union({"effect": "deny"}, change)) == "allow"
	}
	_outcome(["groups"], {"effect": "deny", "who": {"kinds": ["cursor"]}}) == "allow"
}

test_a_permission_of_a_group_needs_known_groups if {
	every who in [{"groups": ["desk"]}, {"groups": ["desk"], "agents": ["bot"]}] {
		policy := _indexed([_rule({"who": who})], ["x"])
		_decided(_member([]), policy).outcome == "allow"
		_decided(_member(["groups"]), policy).outcome == "deny"
		_decided(fixture.changed(_member(["groups"]), ["principal", "groups"], []), policy).outcome == "deny"
	}
}

test_a_rule_that_the_index_offers_by_mistake_permits_nothing_by_an_unknown_claim if {
	offered := fixture.changed(
		_indexed([_rule({"who": {"groups": ["desk"]}})], ["x"]),
		["index", "rules", "slack", "read", "unknown:groups"], {"allow": [], "look": {"x": null}},
	)
	_decided(_member(["groups"]), offered).outcome == "deny"
}

test_lists_hide_what_an_unknown_claim_refuses if {
	asked := object.union(fixture.changed(fixture.message("tools/list"), ["principal"], _member(["groups"]).principal), {
		"phase": "list",
		"items": [object.filter(fixture.tool("read_channel"), ["message", "target", "definition"])],
	})
	fixture.listing(asked, fixture.with_rule(_denying({"groups": ["sales"]}))) == [{"rules_permit"}]
}

test_says_which_claim_is_unknown_and_what_to_fix if {
	unreadable := concat(" ", [
		"The groups could not be read from the token:",
		"its issuer must list them in the claim that `groups_claim` names in the settings of the gateway",
	])
	refused := _decided(_member(["groups"]), fixture.with_rule(_denying({"groups": ["sales"]})))
	[reason.message | some reason in refused.reasons] == [sprintf("Rule `x` (it depends on who the caller is. %v): No.", [unreadable])]
	unpermitted := _decided(_member(["groups"]), _indexed([_rule({"who": {"groups": ["desk"]}})], ["x"]))
	[reason.message | some reason in unpermitted.reasons] == [concat("", [
		"No rule permits agent `bot` the action `read` on tool `read_channel` of server `slack`. ",
		unreadable,
		" (some rules need this to permit)",
	])]
	plain := _decided(_member(["groups"]), _indexed([], []))
	not contains(plain.reasons[0].message, "groups")
}

_denying(who) := _rule({"effect": "deny", "who": who, "reason": "No."})

_outcome(unknown, change) := _decided(_member(unknown), fixture.with_rule(_rule(change))).outcome

_decided(question, policy) := fixture.decision(question, policy)

_member(unknown) := fixture.jwt({"subject": "sub-1", "groups": ["desk"], "unknown": unknown})
