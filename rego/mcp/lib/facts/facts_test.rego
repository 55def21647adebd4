package mcp.lib.facts_test

import data.mcp.lib.facts
import data.mcp.lib.fixture_test as fixture

test_what_is_needed_is_what_the_index_says_of_the_server if {
	_needed({"slack": _of_mail, "*": _of_paths}) == _of_mail
	_needed({"other": _of_mail, "*": _of_paths}) == _of_paths
	_needed({"other": _of_mail}) == []
	_needed({}) == []
	_needed({"slack": "all"}) == []
	facts.needed == [] with input as fixture.call with data.index as {}
}

test_nothing_is_needed_of_a_question_that_states_facts if {
	facts.needed == [] with input as object.union(fixture.call, {"facts": {}}) with data.index.facts as {"*": _of_mail}
	damaged := object.union(fixture.call, {"facts": null})
	facts.needed == _of_mail with input as damaged with data.index.facts as {"*": _of_mail}
}

test_nothing_is_needed_of_a_message_without_target if {
	facts.needed == [] with input as fixture.message("initialize") with data.index.facts as {"*": _of_mail}
}

test_a_decision_says_what_it_needs if {
	policy := fixture.changed(fixture.bundle, ["index", "facts"], {"slack": _of_mail})
	every question in [fixture.call, fixture.tool("post_message"), fixture.tool("strange")] {
		without := fixture.decision(question, policy)
		without.needs_facts == _of_mail
		object.remove(without, ["needs_facts"]) == object.union(
			fixture.decision(question, fixture.bundle),
			{field: without[field] | some field in ["needs_definition"]},
		)
		with_facts := fixture.decision(object.union(question, {"facts": {}}), policy)
		not with_facts.needs_facts
	}
}

test_rules_read_facts if {
	rule := object.union(fixture.rule, {
		"rule": "x",
		"effect": "deny",
		"arguments": [{"path": "/channel", "not": {"domain": ["example.com"]}}],
	})
	policy := fixture.with_rule(rule)
	fixture.decision(fixture.call, policy).outcome == "deny"
	_outcome("example.com", policy) == "allow"
	_outcome("rival.example", policy) == "deny"
}

_outcome(domain, policy) := outcome if {
	question := object.union(fixture.call, {"facts": {"/channel": {"domain": domain}}})
	outcome := fixture.decision(question, policy).outcome
}

_needed(index) := needed if {
	needed := facts.needed with input as fixture.call with data.index.facts as index
}

_of_mail := [{"path": "/to", "facts": ["domain"]}]

_of_paths := [{"path": "/file", "facts": ["path"]}]
