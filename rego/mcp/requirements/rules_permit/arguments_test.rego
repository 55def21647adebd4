package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_a_condition_holds_fails_or_cannot_be_judged if {
	every condition in [
		{"path": "/channel", "equals": "general"},
		{"path": "/channel", "in": ["random", "general"]},
		{"path": "/channel", "prefix": "gen"},
		{"path": "/channel", "glob": "g*l"},
		{"path": "/channel", "matches": "^gen"},
		{"path": "/limit", "at_most": 5},
		{"path": "/limit", "equals": 5.0},
	] {
		_permits([condition])
		_refuses([condition])
	}
	every condition in [
		{"path": "/channel", "equals": "random"},
		{"path": "/channel", "in": ["random", 7]},
		{"path": "/channel", "prefix": "x"},
		{"path": "/channel", "glob": "x*"},
		{"path": "/channel", "matches": "^x"},
		{"path": "/limit", "at_most": 4},
		{"path": "/limit", "in": [1, 2]},
	] {
		not _permits([condition])
		not _refuses([condition])
	}
	every condition in [
		{"path": "/topic", "equals": "general"},
		{"path": "/channel/0", "equals": "general"},
		{"path": "/channel", "equals": 7},
		{"path": "/channel", "in": [7, true, null]},
		{"path": "/channel", "at_most": 5},
		{"path": "/limit", "prefix": "5"},
		{"path": "/limit", "glob": "*"},
		{"path": "/limit", "matches": "."},
	] {
		not _permits([condition])
		_refuses([condition])
	}
}

test_all_conditions_must_hold if {
	both := [{"path": "/channel", "equals": "general"}, {"path": "/limit", "at_most": 5}]
	_permits(both)
	_refuses(both)
	half := [{"path": "/channel", "equals": "general"}, {"path": "/limit", "at_most": 4}]
	not _permits(half)
	not _refuses(half)
	unsure := [{"path": "/channel", "equals": "general"}, {"path": "/topic", "equals": "x"}]
	not _permits(unsure)
	_refuses(unsure)
}

test_conditions_do_not_count_before_the_arguments_are_known if {
	condition := [{"path": "/channel", "equals": "random"}]
	allow := _indexed([_rule({"effect": "allow", "arguments": condition})], ["x"])
	not fixture.refuses("rules_permit", fixture.call, allow)
	fixture.refuses_arguments("rules_permit", fixture.call, allow)
	deny := fixture.with_rule(_rule({"effect": "deny", "arguments": [{"path": "/channel", "equals": "general"}]}))
	not fixture.refuses("rules_permit", fixture.call, deny)
	fixture.refuses_arguments("rules_permit", fixture.call, deny)
}

test_a_refusal_that_does_not_apply_permits_nothing if {
	deny := _rule({"effect": "deny", "arguments": [{"path": "/channel", "equals": "random"}]})
	fixture.refuses("rules_permit", fixture.call, _indexed([deny], ["x"]))
	fixture.refuses_arguments("rules_permit", fixture.call, _indexed([deny], ["x"]))
}

test_only_rules_whose_conditions_hold_are_grounds if {
	allow := _rule({"effect": "allow", "arguments": [{"path": "/channel", "equals": "random"}]})
	_grounds(fixture.call, fixture.with_rule(allow)) == ["slack-is-read"]
}

test_a_hold_that_cannot_be_judged_holds_and_permits_nothing if {
	hold := _rule({"effect": "hold", "arguments": [{"path": "/topic", "equals": "x"}]})
	fixture.decision(fixture.call, fixture.with_rule(hold)).outcome == "hold"
	fixture.decision(fixture.call, _indexed([hold], ["x"])).outcome == "deny"
	fails := _rule({"effect": "hold", "arguments": [{"path": "/channel", "equals": "x"}]})
	fixture.decision(fixture.call, fixture.with_rule(fails)).outcome == "allow"
}

_permits(conditions) if {
	not _refused(fixture.call, _indexed([_rule({"effect": "allow", "arguments": conditions})], ["x"]))
}

_refuses(conditions) if {
	_refused(fixture.call, fixture.with_rule(_rule({"effect": "deny", "arguments": conditions})))
}
