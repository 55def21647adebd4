package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

# The question is asked by bot, a claude-code with the label support, on a Friday at 14:00, for the channel general.
_parts := {
	"who": {"holds": {"agents": ["bot"]}, "fails": {"agents": ["other"]}},
	"when": {"holds": {"days": ["friday"]}, "fails": {"days": ["monday"]}, "unknown": {
		"days": ["friday"],
		"time_zone": "Nowhere/Land",
	}},
	"arguments": {
		"holds": [{"path": "/channel", "equals": "general"}],
		"fails": [{"path": "/channel", "equals": "random"}],
		"unknown": [{"path": "/topic", "equals": "x"}],
	},
}

_exceptions[verdict] contains _exception(stated) if {
	some who in ["none", "holds", "fails"]
	some when in ["none", "holds", "fails", "unknown"]
	some arguments in ["none", "holds", "fails", "unknown"]
	verdicts := {who, when, arguments} - {"none"}
	count(verdicts) > 0
	verdict := _all(verdicts)
	stated := {part: _parts[part][word] |
		some part, word in {"who": who, "when": when, "arguments": arguments}
		word != "none"
	}
}

_all(verdicts) := "fails" if {
	"fails" in verdicts
} else := "unknown" if {
	"unknown" in verdicts
} else := "holds"

_exception(stated) := object.union({"who": {}, "when": null, "arguments": []}, stated)

test_an_exception_lifts_a_refusal_only_if_it_surely_fits if {
	count(_exceptions.holds) > 5
	every exception in _exceptions.holds {
		not _refused(fixture.call, _denying_unless(exception))
		fixture.decision(fixture.call, _holding(exception)).outcome == "allow"
	}
	every verdict in ["fails", "unknown"] {
		every exception in _exceptions[verdict] {
			_refused(fixture.call, _denying_unless(exception))
			fixture.decision(fixture.call, _holding(exception)).outcome == "hold"
		}
	}
}

test_a_permission_stays_only_if_its_exception_surely_does_not_fit if {
	count(_exceptions.fails) > 5
	every exception in _exceptions.fails {
		not _refused(fixture.call, _allowing(exception))
		_grounds(fixture.call, _allowing(exception)) == ["x"]
	}
	every verdict in ["holds", "unknown"] {
		every exception in _exceptions[verdict] { _refused(fixture.call, _allowing(exception)) }
	}
}

test_an_exception_without_arguments_is_decided_in_lists if {
	every verdict in ["holds", "fails", "unknown"] {
		plain := {exception | some exception in _exceptions[verdict]; exception.arguments == []}
		count(plain) > 0
		every exception in plain {
			_is_hidden(_denying_unless(exception)) == verdict != "holds"
			_is_hidden(_allowing(exception)) == verdict != "fails"
			_is_shut(_denying_unless(exception)) == verdict != "holds"
			_is_shut(_allowing(exception)) == verdict != "fails"
			_is_shut(_only_holding(exception)) == verdict != "fails"
		}
	}
}

test_an_exception_that_reads_arguments_leaves_lists_open if {
	every verdict in ["holds", "fails", "unknown"] {
		open := {exception | some exception in _exceptions[verdict]; count(exception.arguments) > 0}
		count(open) > 3
		every exception in open {
			_is_hidden(_denying_unless(exception)) == _misses(exception)
			_is_hidden(_allowing(exception)) == false
			_is_shut(_denying_unless(exception)) == _misses(exception)
			_is_shut(_allowing(exception)) == false
			_is_shut(_only_holding(exception)) == false
		}
	}
}

test_an_exception_of_groups_does_not_miss_groups_that_are_no_list if {
	exception := _exception({"who": {"groups": ["interns"]}})
	not _refused(fixture.call, _allowing(exception))
	every groups in ["interns", null, {}] {
		_refused(fixture.changed(fixture.call, ["principal", "groups"], groups), _allowing(exception))
	}
	_refused(fixture.changed(fixture.call, ["principal", "groups"], ["interns"]), _allowing(exception))
	labeled := _exception({"who": {"labels": ["night"]}})
	not _refused(fixture.call, _allowing(labeled))
}

test_an_exception_is_reported_of_a_rule_with_a_mode if {
	every case in [["holds", 0], ["fails", 1], ["unknown", 1]] {
		[verdict, reports] := case
		every exception in _exceptions[verdict] {
			relaxed := object.union(_rule({"effect": "deny", "unless": exception}), {
				"mode": "warn",
				"reason": "Tried out.",
				"expires": "2027-01-01T00:00:00Z",
			})
			decision := fixture.decision(fixture.call, fixture.with_rule(relaxed))
			decision.outcome == "allow"
			count(decision.warnings) == reports
		}
	}
}

_misses(exception) if {
	exception.who == _parts.who.fails
} else if {
	exception.when == _parts.when.fails
} else := false

_denying_unless(exception) := fixture.with_rule(_rule({"effect": "deny", "unless": exception}))

_holding(exception) := fixture.with_rule(_rule({"effect": "hold", "unless": exception}))

_only_holding(exception) := _indexed([_rule({"effect": "hold", "unless": exception})], ["x"])

_allowing(exception) := _indexed([_rule({"effect": "allow", "unless": exception})], ["x"])

# True if a list does not show the item.
_is_hidden(policy) if {
	fixture.refuses("rules_permit", fixture.call, policy)
} else := false

# A server that no caller may connect to.
_is_shut(policy) if {
	_refused(fixture.message("initialize"), policy)
} else := false
