package mcp.admission_test

import data.mcp.lib.fixture_test as fixture

# A refusal among permissions stays a refusal, regardless of what is lost or mistyped. The build derives the deeper
# parts of the indexes of rules and callers, and this test does not cover them.
test_no_piece_of_the_catalog_that_is_removed_or_mistyped_loosens if {
	_hardens_or_stays({"environment", "required", "catalog"})
}

test_no_piece_of_agents_rules_and_index_that_is_removed_or_mistyped_loosens if {
	_hardens_or_stays({"agents", "rules", "index"})
}

_hardens_or_stays(roots) if {
	open := fixture.with_rules([_everything], ["slack-is-kept", "everything"])
	question := fixture.tool("delete_message")
	_refused(question, open)
	not _refused(fixture.tool("post_message"), open)
	every path in _pieces(open, roots) {
		_refused(question, fixture.without(open, path))
		_refused(question, fixture.changed(open, path, "x"))
	}
}

test_the_order_of_what_data_lists_does_not_matter if {
	names := ["slack-is-kept", "everything", "slack-is-read", "slack-posts-wait"]
	every question in [fixture.call, fixture.tool("delete_message"), fixture.tool("post_message")] {
		forward := fixture.with_rules([_everything], names)
		backward := fixture.with_rules([_everything], array.reverse(names))
		grouped := fixture.changed(question, ["principal", "groups"], ["a", "b"])
		regrouped := fixture.changed(question, ["principal", "groups"], ["b", "a"])
		fixture.decision(grouped, forward) == fixture.decision(regrouped, backward)
	}
}

test_no_piece_of_a_question_that_is_missing_loosens if {
	question := fixture.tool("delete_message")
	every path, _ in {path | walk(question, [path, _]); count(path) > 0} {
		_refused(fixture.without(question, path), fixture.bundle)
	}
}

_everything := object.union(fixture.rule, {"rule": "everything", "effect": "allow"})

_pieces(policy, roots) := {path |
	walk(policy, [path, _])
	path[0] in roots
	not array.slice(path, 0, 2) in {["index", "rules"], ["index", "who"]}
}

_refused(question, policy) if fixture.refuses("rules_permit", question, policy)

_refused(question, policy) if count(fixture.unmet(question, policy)) > 0
