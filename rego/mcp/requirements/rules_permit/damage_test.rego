package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_a_rule_that_is_not_what_the_build_checked_refuses_and_is_named if {
	every change in _damages {
		policy := json.patch(_indexed([_rule({"reason": "R"})], ["x", "slack-is-read"]), [change])
		_refused(fixture.call, policy)
		fixture.because("rules_permit", fixture.call, policy) == {_damaged_words}
		_grounds(fixture.call, policy) == ["x"]
	}
}

test_each_part_of_a_rule_is_needed if {
	every part in object.keys(_rule({})) {
		whole := fixture.with_rule(_rule({}))
		_refused(fixture.call, fixture.without(whole, ["rules", "x", part]))
		every value in [null, false, 7, "deny", ["x"], {"agents": ["bot"]}] {
			_is_same_or_refused(part, value, fixture.changed(whole, ["rules", "x", part], value))
		}
	}
}

test_a_rule_that_the_index_names_and_the_bundle_lacks_refuses if {
	_refused(fixture.call, fixture.without(fixture.bundle, ["rules"]))
	_refused(fixture.call, fixture.without(fixture.bundle, ["index", "seals"]))
	_refused(fixture.call, fixture.without(fixture.bundle, ["index", "seals", "slack-is-kept"]))
	_refused(fixture.call, _indexed([], ["x", "slack-is-read"]))
	_refused(fixture.call, _indexed([], [7, "slack-is-read"]))
}

test_damaged_tags_of_a_target_do_not_loosen_a_refusal_nor_widen_a_permission if {
	path := ["catalog", "targets", "slack", "tools", "read_channel", "tags"]
	deny := fixture.with_rule(_rule({"effect": "deny", "what": {"tool_tags": ["mail"]}}))
	not _refused(fixture.call, deny)
	_refused(fixture.call, fixture.without(deny, path))
	allow := _indexed([_rule({"effect": "allow", "what": {"tool_tags": ["mail"]}})], ["x"])
	every value in [null, 7, {}] {
		_refused(fixture.call, fixture.changed(deny, path, value))
		_refused(fixture.call, fixture.changed(allow, path, value))
	}
}

test_the_index_is_searched_by_server_action_and_who if {
	every server in ["*", "slack"] {
		every key in ["any", "agent:bot", "kind:claude-code", "label:support", "owner:alice@example.com", "group:desk"] {
			_refused(_of_group, _offering(server, "read", key))
			not _refused(_of_group, _offering(server, "write", key))
		}
		every key in ["agent:other", "kind:cursor", "label:x", "owner:x", "group:x", "tool:read_channel"] {
			not _refused(_of_group, _offering(server, "read", key))
		}
	}
}

test_a_hint_that_does_not_fit_the_target_spares_the_rule if {
	every hint in [{"tools": ["post_*"]}, {"resources": ["*"]}, {"tools": ["x"], "prompts": ["*"]}] {
		not _refused(fixture.call, _hinting(hint))
	}
	every hint in [null, {"tools": ["read_*"]}, {"tools": ["x", "read_channel"]}] {
		_refused(fixture.call, _hinting(hint))
	}
}

_hinting(hint) := fixture.changed(_offering("slack", "read", "any"), ["index", "rules", "slack", "read", "any", "look", "x"], hint)

test_a_damaged_row_or_list_of_the_index_permits_nothing if {
	every path in [
		["index", "rules", "*", "read"],
		["index", "rules", "*", "read", "any"],
		["index", "rules", "*", "read", "any", "look"],
		["index", "rules", "slack", "read"],
		["index", "rules", "slack", "read", "any"],
		["index", "rules", "slack", "read", "any", "allow"],
		["index", "rules", "slack", "read", "any", "look"],
	] {
		_refused(fixture.call, fixture.without(fixture.bundle, path))
		every value in [null, false, 7, "slack-is-kept", ["slack-is-kept"]] {
			_refused(fixture.call, fixture.changed(fixture.bundle, path, value))
		}
	}
	every value in [null, {}, {"look": ["x"]}, {"look": "x"}] {
		path := ["index", "rules", "*", "read", "agent:bot"]
		_refused(fixture.call, fixture.changed(fixture.bundle, path, value))
	}
}

test_is_not_met_where_the_index_does_not_know_the_agent if {
	_refused(fixture.call, fixture.without(fixture.bundle, ["index", "who", "bot"]))
	_refused(fixture.call, fixture.changed(fixture.bundle, ["index", "who", "bot"], "any"))
}

test_a_damaged_index_refuses_even_if_the_environment_allows_by_default if {
	open := fixture.changed(fixture.with_rules([], []), ["environment", "default"], "allow")
	not _refused(fixture.call, open)
	_refused(fixture.call, fixture.without(open, ["index", "who", "bot"]))
	_refused(fixture.call, fixture.changed(open, ["index", "who", "bot"], "any"))
	every path in [["*", "read"], ["*", "read", "any"], ["slack", "read"], ["slack", "read", "any"], ["slack"]] {
		_refused(fixture.call, fixture.without(open, array.concat(["index", "rules"], path)))
		every value in [null, [], "x"] {
			_refused(fixture.call, fixture.changed(open, array.concat(["index", "rules"], path), value))
		}
	}
}

test_messages_without_target_are_looked_for_in_a_row_of_their_own if {
	every question in [fixture.message("tools/list"), fixture.of_server("roots/list")] {
		not _refused(question, fixture.bundle)
		every path in [["slack", "none"], ["slack", "none", "any"], ["*", "none"]] {
			_refused(question, fixture.without(fixture.bundle, array.concat(["index", "rules"], path)))
		}
		not _refused(question, fixture.without(fixture.bundle, ["index", "rules", "slack", "list"]))
	}
}

_offering(server, row, key) := json.patch(fixture.bundle, [
	{"op": "add", "path": ["rules", "x"], "value": _rule({"effect": "deny"})},
	{"op": "add", "path": ["index", "seals", "x"], "value": fixture.seal(_rule({"effect": "deny"}))},
	{"op": "add", "path": ["index", "rules", server, row, key], "value": {"allow": ["slack-is-read"], "look": {"x": null}}},
])

_damages := [
	{"op": "remove", "path": ["rules", "x"]},
	{"op": "replace", "path": ["rules", "x"], "value": null},
	{"op": "replace", "path": ["rules", "x"], "value": "allow"},
	{"op": "replace", "path": ["rules", "x", "rule"], "value": "y"},
	{"op": "replace", "path": ["rules", "x", "effect"], "value": "permit"},
	{"op": "replace", "path": ["rules", "x", "who"], "value": {"agent": ["bot"]}},
	{"op": "replace", "path": ["rules", "x", "what"], "value": {"tools": []}},
	{"op": "replace", "path": ["rules", "x", "when"], "value": {"hours": "9-17"}},
	{"op": "replace", "path": ["rules", "x", "arguments"], "value": [{"path": "/a", "matches": "("}]},
	{"op": "replace", "path": ["rules", "x", "mode"], "value": "enforce"},
	{"op": "replace", "path": ["rules", "x", "expires"], "value": "tomorrow"},
	{"op": "add", "path": ["rules", "x", "note"], "value": "x"},
	{"op": "replace", "path": ["index", "seals", "x"], "value": null},
]

_damaged_words := "Rule `x` differs from the one that the build checked, and refuses until it is built again"

_is_same_or_refused(part, value, _) if _rule({})[part] == value

_is_same_or_refused(_, _, policy) if _refused(fixture.call, policy)
