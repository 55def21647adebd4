package mcp.requirements.rules_permit_test

import data.mcp.lib.fixture_test as fixture

test_is_met_where_a_rule_allows_and_none_refuses if {
	not _refused(fixture.call, fixture.bundle)
	_grounds(fixture.call, fixture.bundle) == ["slack-is-read"]
}

test_nothing_is_a_refusal if {
	quiet := _indexed([], [])
	_refused(fixture.call, quiet)
	fixture.because("rules_permit", fixture.call, quiet) == {concat(" ", [
		"no rule permits agent bot the action read",
		"on tool read_channel of server slack",
	])}
	fixture.because("rules_permit", fixture.message("initialize"), quiet) == {concat(" ", [
		"no rule gives agent bot",
		"anything on server slack",
	])}
}

test_an_environment_may_allow_what_no_rule_refuses if {
	open := fixture.changed(fixture.bundle, ["environment", "default"], "allow")
	_refused(fixture.tool("delete_message"), open)
	_grounds(fixture.call, open) == ["slack-is-read"]
	quiet := fixture.changed(_indexed([], []), ["environment", "default"], "allow")
	not _refused(fixture.call, quiet)
	_grounds(fixture.call, quiet) == ["default"]
	every value in ["deny", "ALLOW", true, null] {
		_refused(fixture.call, fixture.changed(quiet, ["environment", "default"], value))
	}
}

test_deny_beats_hold_beats_allow_in_any_order if {
	deny := _rule({"rule": "x-deny", "effect": "deny"})
	hold := _rule({"rule": "x-hold", "effect": "hold"})
	every order in [["x-deny", "x-hold", "slack-is-read"], ["slack-is-read", "x-hold", "x-deny"], ["x-hold", "x-deny"]] {
		policy := _indexed([deny, hold], order)
		_refused(fixture.call, policy)
		fixture.decision(fixture.call, policy).outcome == "deny"
		_grounds(fixture.call, policy) == ["x-deny"]
	}
	every order in [["x-hold", "slack-is-read"], ["slack-is-read", "x-hold"], ["x-hold"]] {
		policy := _indexed([deny, hold], order)
		not _refused(fixture.call, policy)
		fixture.decision(fixture.call, policy).outcome == "hold"
		_grounds(fixture.call, policy) == ["x-hold"]
	}
}

test_a_refusal_says_which_rule_and_why if {
	fixture.because("rules_permit", fixture.tool("delete_message"), fixture.bundle) == {concat(": ", [
		"rule slack-is-kept",
		"Messages are kept.",
	])}
	silent := _indexed([_edited("slack-is-kept", {"reason": ""})], ["slack-is-kept"])
	fixture.because("rules_permit", fixture.tool("delete_message"), silent) == {"rule slack-is-kept refuses this"}
}

test_an_unknown_action_is_each_action_to_a_refusal_and_none_to_a_permission if {
	_refused(fixture.tool("mystery"), fixture.bundle)
	"slack-is-kept" in _grounds(fixture.tool("mystery"), fixture.bundle)
	free := _indexed([], ["slack-is-read"])
	_refused(fixture.tool("mystery"), free)
	every actions in [["unknown"], ["read", "write", "delete", "send", "execute", "list"]] {
		all := _indexed([_edited("slack-is-read", {"what": {"actions": actions}})], ["slack-is-read"])
		not _refused(fixture.tool("mystery"), all)
	}
}

test_who_a_rule_is_about if {
	every who in [
		{},
		{"agents": ["bot"]},
		{"kinds": ["cursor", "claude-code"]},
		{"labels": ["support"]},
		{"owners": ["alice@example.com"]},
		{"groups": ["desk"]},
		{"agents": ["bot", "other"], "kinds": ["claude-code"], "groups": ["desk"]},
		{"kinds": ["claude-code"], "labels": ["x", "support"], "owners": ["alice@example.com"]},
	] {
		_concerned(_of_group, {"who": who})
	}
	every who in [
		{"agents": ["other"]},
		{"kinds": ["cursor"]},
		{"labels": ["sales"]},
		{"owners": ["bob@example.com"]},
		{"groups": ["sales"]},
		{"agents": ["bot"], "kinds": ["cursor"]},
		{"kinds": ["claude-code"], "labels": ["x"]},
		{"kinds": ["claude-code"], "owners": ["x"]},
		{"kinds": ["claude-code"], "groups": ["x"]},
	] {
		_unconcerned(_of_group, {"who": who})
	}
}

test_what_a_rule_is_about if {
	every what in [
		{},
		{"servers": ["slack"]},
		{"servers": ["git*", "sl*"]},
		{"server_tags": ["messaging"]},
		{"server_environments": ["production"]},
		{"tools": ["read_channel"]},
		{"tools": ["read_*"]},
		{"tools": ["rea?_channel"], "resources": ["x"]},
		{"tool_tags": ["chat", "mail"]},
		{"actions": ["read"]},
		{"servers": ["slack"], "server_tags": ["messaging"], "tool_tags": ["chat"], "actions": ["read", "write"]},
	] {
		_concerned(fixture.call, {"what": what})
	}
	every what in [
		{"tools": ["write_*"]},
		{"tools": ["READ_CHANNEL"]},
		{"resources": ["read_channel"]},
		{"prompts": ["*"], "resources": ["*"]},
		{"tool_tags": ["mail"]},
		{"actions": ["write"]},
		{"servers": ["slack"], "actions": ["write"]},
	] {
		_unconcerned(fixture.call, {"what": what})
	}
}

test_resources_are_matched_by_uri if {
	every what in [{"resources": ["slack://channels/*"]}, {"resources": ["*"], "tools": ["x"]}] {
		_concerned(fixture.resource("slack://channels/random"), {"what": what})
	}
	every what in [{"resources": ["slack://users/*"]}, {"tools": ["*"]}] {
		_unconcerned(fixture.resource("slack://channels/random"), {"what": what})
	}
}

test_when_a_rule_is_in_force if {
	every when in [
		{"days": ["friday"]},
		{"hours": "14:00-14:01"},
		{"hours": "08:00-24:00"},
		{"hours": "22:00-14:01"},
		{"hours": "14:00-08:00"},
		{"hours": "15:00-15:01", "time_zone": "Europe/Zurich"},
		{"days": ["saturday"], "hours": "03:00-03:01", "time_zone": "Pacific/Auckland"},
		{"days": ["thursday", "friday"], "hours": "09:00-17:00"},
	] {
		_concerned(fixture.call, {"when": when})
	}
	every when in [
		{"days": ["saturday"]},
		{"hours": "13:00-14:00"},
		{"hours": "14:01-14:00"},
		{"hours": "14:00-14:01", "time_zone": "Europe/Zurich"},
		{"days": ["friday"], "hours": "15:00-08:00"},
	] {
		_unconcerned(fixture.call, {"when": when})
	}
}

test_hours_are_those_of_the_environment_where_the_rule_names_no_zone if {
	local := fixture.changed(
		fixture.with_rule(_rule({"effect": "deny", "when": {"hours": "15:00-15:01"}})),
		["environment", "time_zone"], "Europe/Zurich",
	)
	_refused(fixture.call, local)
	every zone in ["Europe/Zurick", "", null, 7] {
		_refused(fixture.call, fixture.changed(local, ["environment", "time_zone"], zone))
	}
}

test_a_rule_ends_when_it_expires if {
	_concerned(fixture.call, {"expires": "2026-11-20T14:00:01Z"})
	_unconcerned(fixture.call, {"expires": "2026-11-20T14:00:00Z"})
}

test_a_condition_holds_fails_or_cannot_be_judged if {
	every condition in [
		{"path": "/channel", "equals": "general"},
		{"path": "/channel", "in": ["random", "general"]},
		{"path": "/channel", "prefix": "gen"},
		{"path": "/channel", "glob": "g*l"},
		{"path": "/channel", "matches": "^gen"},
		{"path": "/limit", "max": 5},
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
		{"path": "/limit", "max": 4},
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
		{"path": "/channel", "max": 5},
		{"path": "/limit", "prefix": "5"},
		{"path": "/limit", "glob": "*"},
		{"path": "/limit", "matches": "."},
	] {
		not _permits([condition])
		_refuses([condition])
	}
}

test_all_conditions_must_hold if {
	both := [{"path": "/channel", "equals": "general"}, {"path": "/limit", "max": 5}]
	_permits(both)
	_refuses(both)
	half := [{"path": "/channel", "equals": "general"}, {"path": "/limit", "max": 4}]
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

test_a_hold_that_cannot_be_judged_holds_and_permits_nothing if {
	hold := _rule({"effect": "hold", "arguments": [{"path": "/topic", "equals": "x"}]})
	fixture.decision(fixture.call, fixture.with_rule(hold)).outcome == "hold"
	fixture.decision(fixture.call, _indexed([hold], ["x"])).outcome == "deny"
	fails := _rule({"effect": "hold", "arguments": [{"path": "/channel", "equals": "x"}]})
	fixture.decision(fixture.call, fixture.with_rule(fails)).outcome == "allow"
}

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

test_a_rule_in_a_mode_is_reported_and_not_enforced if {
	every mode, place in {"warn": "warnings", "shadow": "shadow"} {
		relaxed := {"mode": mode, "reason": "Trying it.", "expires": "2026-12-01T00:00:00Z"}
		every effect in ["deny", "hold"] {
			policy := fixture.with_rule(_rule(object.union(relaxed, {"effect": effect})))
			decision := fixture.decision(fixture.call, policy)
			decision.outcome == "allow"
			[reason.message | some reason in decision[place]] == ["rule x: Trying it."]
		}
		allow := _indexed([_rule(object.union(relaxed, {"effect": "allow"}))], ["x"])
		fixture.decision(fixture.call, allow).outcome == "deny"
		count(fixture.decision(fixture.call, allow)[place]) == 1
	}
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
	relaxed := {
		"effect": "deny", "mode": "warn", "reason": "Trying it.", "expires": "2026-12-01T00:00:00Z",
		"arguments": [{"path": "/channel", "equals": "random"}],
	}
	fixture.decision(fixture.call, fixture.with_rule(_rule(relaxed))).warnings == []
}

test_messages_without_target_need_a_rule_that_gives_something_on_the_server if {
	every method in ["initialize", "tools/list", "subscriptions/listen"] {
		question := fixture.message(method)
		every what in [{}, {"servers": ["slack"]}, {"tools": ["x"]}, {"actions": ["write"]}, {"tool_tags": ["x"]}] {
			not _refused(question, _indexed([_rule({"effect": "allow", "what": what})], ["x"]))
			conditional := {"effect": "allow", "what": what, "arguments": [{"path": "/a", "equals": "b"}]}
			not _refused(question, _indexed([_rule(conditional)], ["x"]))
		}
		every scope in [
			{"who": {"agents": ["other"]}},
			{"when": {"days": ["monday"]}},
			{"expires": "2020-01-01T00:00:00Z"},
		] {
			_refused(question, _indexed([_rule(object.union({"effect": "allow"}, scope))], ["x"]))
		}
	}
}

test_messages_without_target_are_refused_by_what_refuses_the_whole_server if {
	question := fixture.message("initialize")
	every what in [{}, {"servers": ["slack"]}, {"server_environments": ["production"]}] {
		_refused(question, fixture.with_rule(_rule({"effect": "deny", "what": what})))
		conditional := {"effect": "deny", "what": what, "arguments": [{"path": "/a", "equals": "b"}]}
		not _refused(question, fixture.with_rule(_rule(conditional)))
	}
	every what in [{"tools": ["*"]}, {"actions": ["read"]}, {"tool_tags": ["x"]}, {"resources": ["*"]}] {
		not _refused(question, fixture.with_rule(_rule({"effect": "deny", "what": what})))
	}
	held := fixture.with_rule(_rule({"effect": "hold"}))
	fixture.decision(question, held).outcome == "allow"
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

_offering(server, row, key) := json.patch(fixture.bundle, [
	{"op": "add", "path": ["rules", "x"], "value": _rule({"effect": "deny"})},
	{"op": "add", "path": ["index", "seals", "x"], "value": fixture.seal(_rule({"effect": "deny"}))},
	{"op": "add", "path": ["index", "rules", server, row, key], "value": {"allow": ["slack-is-read"], "look": {"x": null}}},
])

_of_group := fixture.changed(fixture.call, ["principal", "groups"], ["support", "desk"])

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

_damaged_words := "rule x is not what the build checked, and refuses until it is built again"

_is_same_or_refused(part, value, _) if _rule({})[part] == value

_is_same_or_refused(_, _, policy) if _refused(fixture.call, policy)

# A rule named x that concerns everything, changed.
_rule(change) := object.union(object.union(fixture.rule, {"rule": "x"}), change)

_indexed(rules, ids) := fixture.with_rules(rules, ids)

# A rule of the fixture, changed as an author would: sealed again.
_edited(id, change) := object.union(fixture.rules[id], change)

# True where a rule so changed refuses as a denial, and permits as the only permission.
_concerned(question, change) if {
	_refused(question, fixture.with_rule(_rule(object.union({"effect": "deny"}, change))))
	not _refused(question, _indexed([_rule(object.union({"effect": "allow"}, change))], ["x"]))
}

_unconcerned(question, change) if {
	not _refused(question, fixture.with_rule(_rule(object.union({"effect": "deny"}, change))))
	_refused(question, _indexed([_rule(object.union({"effect": "allow"}, change))], ["x"]))
}

_permits(conditions) if {
	not _refused(fixture.call, _indexed([_rule({"effect": "allow", "arguments": conditions})], ["x"]))
}

_refuses(conditions) if {
	_refused(fixture.call, fixture.with_rule(_rule({"effect": "deny", "arguments": conditions})))
}

_grounds(question, policy) := [ground.rule | some ground in fixture.decision(question, policy).grounds]

_refused(question, policy) if fixture.refuses("rules_permit", question, policy)

_refused(question, policy) if fixture.refuses_arguments("rules_permit", question, policy)
