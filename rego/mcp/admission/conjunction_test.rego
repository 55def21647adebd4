package mcp.admission_test

import data.mcp.lib.fixture_test as fixture

# A question that one requirement alone refuses is not met as a whole: no requirement is left out of the conjunction.
test_what_one_requirement_alone_refuses_does_not_meet_everything if {
	every name, case in _refused_by_one {
		fixture.unmet(case.question, case.policy) | fixture.unmet_by_arguments(case.question, case.policy) == {name}
		not fixture.meets_everything(case.question, case.policy)
		fixture.judged(case.question, case.policy, {name}, set()).outcome == "deny"
	}
}

_refused_by_one := {
	"agent_is_cleared": {
		"question": fixture.call,
		"policy": fixture.classified(["pii"], ["pii", "code"]),
	},
	"agent_is_registered": {
		"question": fixture.call,
		"policy": fixture.with_agent("expires", "2026-01-01T00:00:00Z"),
	},
	"agent_stays_in_scope": {
		"question": fixture.call,
		"policy": fixture.with_agent("scope", {"servers": ["*"], "actions": ["write"]}),
	},
	"arguments_match_the_schema": {
		"question": fixture.changed(fixture.call, ["arguments_meta", "schema"], "mismatch"),
		"policy": fixture.bundle,
	},
	"definition_is_unchanged": {
		"question": fixture.changed(fixture.call, ["definition"], null),
		"policy": fixture.bundle,
	},
	"message_is_known": {
		"question": fixture.changed(fixture.call, ["message", "kind"], "notification"),
		"policy": fixture.bundle,
	},
	"nothing_is_stopped": {
		"question": fixture.call,
		"policy": fixture.with_stop("agent", "bot", fixture.now + 1),
	},
	"policy_data_is_loaded": {
		"question": fixture.call,
		"policy": fixture.changed(fixture.bundle, ["required"], ["what_nobody_wrote"]),
	},
	"principal_is_verified": {
		"question": fixture.call,
		"policy": fixture.changed(
			fixture.bundle,
			["index", "credentials", "digest-of-token", "expires"],
			"2026-01-01T00:00:00Z",
		),
	},
	"server_is_listed": {
		"question": fixture.call,
		"policy": fixture.changed(fixture.bundle, ["index", "server_seals", "slack"], "another"),
	},
	"server_requests_are_agreed": {
		"question": fixture.of_server("sampling/createMessage"),
		"policy": fixture.bundle,
	},
}

# The rules judge a message twice, so each conjunction has its own line for them.
test_what_only_the_rules_refuse_does_not_meet_everything if {
	never := fixture.with_rules([], [])
	fixture.unmet(fixture.call, never) == {"rules_permit"}
	not fixture.meets_everything(fixture.call, never)
	condition := [{"path": "/channel", "equals": "general"}]
	deny := object.union(fixture.rule, {"rule": "x", "effect": "deny", "arguments": condition})
	sometimes := fixture.with_rule(deny)
	fixture.unmet(fixture.call, sometimes) == set()
	fixture.unmet_by_arguments(fixture.call, sometimes) == {"rules_permit"}
	not fixture.meets_everything(fixture.call, sometimes)
}

# A damaged index may let the rules permit the arguments although they do not permit the message.
test_rules_that_permit_only_the_arguments_do_not_meet_everything if {
	every value in ["x", null, {}] {
		damaged := fixture.changed(fixture.bundle, ["index", "rules", "*", "read", "any"], value)
		fixture.unmet(fixture.call, damaged) == {"rules_permit"}
		fixture.unmet_by_arguments(fixture.call, damaged) == set()
		not fixture.meets_everything(fixture.call, damaged)
	}
}
