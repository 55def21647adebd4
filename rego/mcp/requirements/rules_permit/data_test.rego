package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_data_of_a_target_as_rules_name_it if {
	every case in [
		{"held": ["pii"], "named": ["pii"]},
		{"held": ["pii"], "named": ["code", "pii"]},
		{"held": ["pii", "code"], "named": ["code", "secret", "pii"]},
	] {
		_refuses_data(case.held, {"data": case.named})
		_permits_data(case.held, {"data": case.named})
	}
	every case in [
		{"held": ["pii"], "named": ["code"]},
		{"held": ["pii", "code"], "named": ["secret", "other"]},
		{"held": ["pii"], "named": ["PII", "*", "pi?"]},
	] {
		not _refuses_data(case.held, {"data": case.named})
		not _permits_data(case.held, {"data": case.named})
	}
}

test_a_target_that_also_holds_other_data_is_refused_and_not_permitted if {
	every named in [["pii"], ["code"], ["pii", "secret"]] {
		_refuses_data(["pii", "code"], {"data": named})
		not _permits_data(["pii", "code"], {"data": named})
	}
}

test_a_target_of_unknown_data_is_refused_and_not_permitted if {
	every held in [null, [], "pii", {"x": "pii"}, [7]] {
		_refuses_data(held, {"data": ["pii"]})
		not _permits_data(held, {"data": ["pii"]})
	}
	absent := fixture.without(_with_data(["pii"], _deny_data({"data": ["pii"]})), [
		"catalog", "targets", "slack",
		"tools", "read_channel", "data",
	])
	_refused(fixture.call, absent)
}

test_reach_of_a_target_as_rules_name_it if {
	_refused_at_reach("external", _deny_data({"reach": "external"}))
	not _refused_at_reach("internal", _deny_data({"reach": "external"}))
	not _refused_at_reach("external", _only_data({"reach": "external"}))
	_refused_at_reach("internal", _only_data({"reach": "external"}))
}

test_a_target_of_unknown_reach_is_refused_and_not_permitted if {
	every reach in [null, 7, ["external"]] {
		every named in ["internal", "external"] {
			_refused_at_reach(reach, _deny_data({"reach": named}))
			_refused_at_reach(reach, _only_data({"reach": named}))
		}
	}
}

test_data_and_reach_must_both_fit if {
	what := {"data": ["pii"], "reach": "external"}
	every case in [
		{"held": ["pii"], "reach": "external", "refused": true},
		{"held": ["code"], "reach": "external", "refused": false},
		{"held": ["pii"], "reach": "internal", "refused": false},
	] {
		policy := fixture.changed(
			_with_data(case.held, _deny_data(what)),
			["catalog", "targets", "slack", "tools", "read_channel", "reach"],
			case.reach,
		)
		case.refused == _refusal_of(fixture.call, policy)
	}
}

test_messages_without_target_are_not_refused_for_data_or_reach if {
	every what in [{"data": ["pii"]}, {"reach": "external"}, {"servers": ["slack"], "data": ["pii"]}] {
		not _refused(fixture.message("initialize"), _deny_data(what))
		not _refused(fixture.message("initialize"), _only_data(what))
	}
}

test_a_hint_at_data_spares_rules_about_other_data if {
	every case in [
		{"held": ["pii"], "hint": {"data": ["code"]}, "refused": false},
		{"held": ["pii"], "hint": {"data": ["code", "pii"]}, "refused": true},
		{"held": ["pii", "code"], "hint": {"data": ["code"]}, "refused": true},
		{"held": null, "hint": {"data": ["code"]}, "refused": true},
		{"held": [], "hint": {"data": ["code"]}, "refused": true},
	] {
		policy := fixture.changed(
			_hinting(case.hint),
			["catalog", "targets", "slack", "tools", "read_channel", "data"],
			case.held,
		)
		case.refused == _refusal_of(fixture.call, policy)
	}
}

test_the_record_says_what_the_target_holds_and_how_far_it_reaches if {
	decision := fixture.decision(fixture.call, fixture.changed(
		_with_data(["code", "pii"], _only_data({})),
		["catalog", "targets", "slack", "tools", "read_channel", "reach"],
		"external",
	))
	decision.resolved.data == ["code", "pii"]
	decision.resolved.reach == "external"
	every question in [fixture.call, fixture.tool("strange"), fixture.message("initialize")] {
		resolved := fixture.decision(question, fixture.bundle).resolved
		resolved.data == null
		resolved.reach == null
	}
}

_deny_data(what) := fixture.with_rule(_rule({"effect": "deny", "what": what}))

_only_data(what) := _indexed([_rule({"effect": "allow", "what": what})], ["x"])

_with_data(held, policy) := fixture.changed(policy, ["catalog", "targets", "slack", "tools", "read_channel", "data"], held)

_refuses_data(held, what) if _refused(fixture.call, _with_data(held, _deny_data(what)))

_permits_data(held, what) if not _refused(fixture.call, _with_data(held, _only_data(what)))

# True if a target of this reach is refused.
_refused_at_reach(reach, policy) if {
	_refused(fixture.call, fixture.changed(policy, ["catalog", "targets", "slack", "tools", "read_channel", "reach"], reach))
}

_refusal_of(question, policy) if {
	_refused(question, policy)
} else := false
