package mcp.requirements.target_is_listed_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_what_the_catalog_lists if {
	every question in [
		fixture.call,
		fixture.tool("mystery"),
		fixture.resource("slack://channels/general"),
		fixture.resource("slack://channels/random"),
		fixture.resource("slack://channels/{name}"),
		_prompt("greet"),
		fixture.message("tools/list"),
	] {
		not _refused(question, fixture.bundle)
	}
}

test_refuses_what_the_catalog_does_not_list if {
	every question in [
		fixture.tool("READ_CHANNEL"),
		fixture.tool("read_channel "),
		fixture.tool("greet"),
		fixture.resource("file:///etc/passwd"),
		fixture.resource("SLACK://channels/general"),
		_prompt("read_channel"),
		_task,
	] {
		_refused(question, fixture.bundle)
	}
}

test_takes_tasks_where_the_server_has_an_entry_for_them if {
	not _refused(_task, fixture.changed(fixture.bundle, ["catalog", "targets", "slack", "tasks"], {"action": "read"}))
}

test_a_target_is_looked_for_among_its_own_kind_only if {
	generous := fixture.changed(fixture.bundle, ["catalog", "targets", "slack", "tasks"], {"action": "read"})
	also := fixture.changed(fixture.tool("hidden"), ["target", "uri"], "slack://channels/general")
	below := fixture.changed(fixture.tool("hidden"), ["target", "uri"], "slack://channels/random")
	every question in [fixture.tool("hidden"), also, below, _prompt("hidden"), fixture.resource("file:///x")] {
		_refused(question, generous)
	}
}

test_refuses_prompts_tasks_and_prefixes_that_are_damaged if {
	every value in [null, false, 7, "read", ["read"]] {
		place := ["catalog", "targets", "slack"]
		_refused(_prompt("greet"), fixture.changed(fixture.bundle, array.concat(place, ["prompts", "greet"]), value))
		_refused(_task, fixture.changed(fixture.bundle, array.concat(place, ["tasks"]), value))
	}
}

test_refuses_entries_that_are_damaged if {
	every path in [
		["catalog", "targets", "slack", "tools", "read_channel"],
		["catalog", "targets", "slack", "tools"],
		["catalog", "targets", "slack"],
		["catalog", "targets"],
	] {
		_refused(fixture.call, fixture.without(fixture.bundle, path))
		every value in [null, false, true, 7, "read", []] {
			_refused(fixture.call, fixture.changed(fixture.bundle, path, value))
		}
	}
}

test_a_damaged_exact_entry_is_not_replaced_by_a_prefix if {
	every value in [null, false, 7, "read"] {
		path := ["catalog", "targets", "slack", "resources", "slack://channels/general"]
		_refused(fixture.resource("slack://channels/general"), fixture.changed(fixture.bundle, path, value))
	}
}

test_ignores_prefixes_that_are_no_text if {
	every value in [null, 7, ["slack://"]] {
		policy := fixture.changed(
			fixture.bundle, ["catalog", "targets", "slack", "resource_prefixes"],
			[{"prefix": value, "action": "read"}],
		)
		_refused(fixture.resource("slack://channels/random"), policy)
	}
}

test_the_longest_prefix_wins_in_any_order if {
	every order in [[0, 1], [1, 0]] {
		prefixes := [fixture.bundle.catalog.targets.slack.resource_prefixes[place] | some place in order]
		policy := fixture.changed(fixture.bundle, ["catalog", "targets", "slack", "resource_prefixes"], prefixes)
		fixture.decision(fixture.resource("slack://channels/random"), policy).resolved.action == "read"
		fixture.decision(fixture.resource("slack://users/alice"), policy).resolved.action == "write"
	}
}

test_a_capability_needs_something_that_the_catalog_lists if {
	every name in ["tools", "prompts", "resources", "completions", "logging"] {
		not _refused(_capability(name), fixture.bundle)
	}
	empty := fixture.changed(fixture.bundle, ["catalog", "targets", "slack"], {"tools": {}, "resource_prefixes": []})
	every name in ["tools", "prompts", "resources", "completions"] { _refused(_capability(name), empty) }
	not _refused(_capability("logging"), empty)
}

test_a_capability_is_of_use_for_any_kind_that_it_is_about if {
	every kind in [{"prompts": {"p": {}}}, {"resources": {"r:": {}}}, {"resource_prefixes": [{"prefix": "r:"}]}] {
		policy := fixture.changed(fixture.bundle, ["catalog", "targets", "slack"], kind)
		not _refused(_capability("completions"), policy)
		_refused(_capability("tools"), policy)
	}
	not _refused(_capability("resources"), fixture.without(fixture.bundle, ["catalog", "targets", "slack", "resources"]))
	not _refused(
		_capability("resources"),
		fixture.without(fixture.bundle, ["catalog", "targets", "slack", "resource_prefixes"]),
	)
}

test_a_capability_of_a_catalog_that_is_damaged_is_of_no_use if {
	every value in [null, false, 7, "read"] {
		damaged := fixture.changed(fixture.bundle, ["catalog", "targets", "slack"], value)
		_refused(_capability("tools"), damaged)
		_refused(_capability("tools"), fixture.changed(fixture.bundle, ["catalog", "targets", "slack", "tools"], value))
	}
}

_capability(name) := fixture.changed(fixture.message("tools/list"), ["target", "name"], name)

_prompt(name) := json.patch(fixture.tool(name), [
	{"op": "replace", "path": ["message", "method"], "value": "prompts/get"},
	{"op": "replace", "path": ["target", "type"], "value": "prompt"},
])

_task := json.patch(fixture.tool("t-1"), [
	{"op": "replace", "path": ["message", "method"], "value": "tasks/get"},
	{"op": "replace", "path": ["target", "type"], "value": "task"},
])

_refused(question, policy) if fixture.refuses("target_is_listed", question, policy)

test_names_a_target_that_the_catalog_lacks if {
	fixture.because("target_is_listed", fixture.tool("hidden"), fixture.bundle) == {"The catalog does not list tool `hidden` of server `slack`"}
	bare := fixture.changed(fixture.bundle, ["catalog", "targets", "slack", "prompts"], {})
	announced := fixture.changed(fixture.message("prompts/list"), ["target", "name"], "prompts")
	fixture.because("target_is_listed", announced, bare) == {concat(" ", [
		"The catalog lists nothing of server `slack`",
		"for the capability `prompts`",
	])}
}
