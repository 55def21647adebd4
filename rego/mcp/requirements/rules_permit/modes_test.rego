package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_a_rule_in_a_mode_is_reported_and_not_enforced if {
	every mode, place in {"warn": "warnings", "shadow": "shadow"} {
		relaxed := {"mode": mode, "reason": "Trying it.", "expires": "2026-12-01T00:00:00Z"}
		every effect in ["deny", "hold"] {
			policy := fixture.with_rule(_rule(object.union(relaxed, {"effect": effect})))
			decision := fixture.decision(fixture.call, policy)
			decision.outcome == "allow"
			[reason.message | some reason in decision[place]] == ["Rule `x`: Trying it."]
		}
		allow := _indexed([_rule(object.union(relaxed, {"effect": "allow"}))], ["x"])
		fixture.decision(fixture.call, allow).outcome == "deny"
		count(fixture.decision(fixture.call, allow)[place]) == 1
	}
}

test_a_rule_in_a_mode_is_reported_in_addition_to_indexed_permissions if {
	relaxed := _rule({"effect": "deny", "mode": "warn", "reason": "Trying it.", "expires": "2026-12-01T00:00:00Z"})
	policy := json.patch(fixture.bundle, [
		{"op": "add", "path": ["rules", "x"], "value": relaxed},
		{"op": "add", "path": ["index", "seals", "x"], "value": fixture.seal(relaxed)},
		{"op": "add", "path": ["index", "rules", "slack", "read", "any", "look"], "value": {"x": null}},
	])
	[reason.message | some reason in fixture.decision(fixture.call, policy).warnings] == ["Rule `x`: Trying it."]
}

test_a_mode_without_owner_reason_or_end_is_no_mode if {
	every change in [
		{"owner": ""},
		{"reason": ""},
		{"expires": null},
		{"expires": "2026-11-20T14:00:00Z"},
	] {
		relaxed := object.union({"mode": "shadow", "reason": "Trying it.", "expires": "2026-12-01T00:00:00Z"}, change)
		_refused(fixture.call, fixture.with_rule(_rule(object.union(relaxed, {"effect": "deny"}))))
		held := fixture.with_rule(_rule(object.union(relaxed, {"effect": "hold"})))
		fixture.decision(fixture.call, held).outcome == "hold"
		_refused(fixture.call, _indexed([_rule(object.union(relaxed, {"effect": "allow"}))], ["x"]))
	}
}

test_a_relaxed_rule_is_reported_only_where_it_would_apply if {
	every effect in ["allow", "deny", "hold"] {
		_reported({"effect": effect}) == ["Rule `x`: Trying it."]
		every change in [
			{"what": {"tools": ["x"]}},
			{"who": {"agents": ["bot"], "kinds": ["cursor"]}},
			{"when": {"days": ["monday"]}},
			{"arguments": [{"path": "/channel", "equals": "random"}]},
		] {
			_reported(object.union({"effect": effect}, change)) == []
		}
	}
	_reported({"effect": "allow", "arguments": [{"path": "/topic", "equals": "x"}]}) == []
	_reported({"effect": "deny", "arguments": [{"path": "/topic", "equals": "x"}]}) == ["Rule `x`: Trying it."]
	_reported({"effect": "deny", "owner": ""}) == []
}

_reported(change) := messages if {
	relaxed := {"mode": "warn", "reason": "Trying it.", "expires": "2026-12-01T00:00:00Z"}
	decision := fixture.decision(fixture.call, fixture.with_rule(_rule(object.union(relaxed, change))))
	messages := [reason.message | some reason in decision.warnings]
}
