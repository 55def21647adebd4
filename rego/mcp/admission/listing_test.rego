package mcp.admission_test

import data.mcp.lib.fixture_test as fixture

test_each_item_is_judged_as_the_call_that_it_would_be if {
	every type, names in {
		"tool": ["read_channel", "post_message", "delete_message", "mystery", "hidden"],
		"prompt": ["greet", "hidden"],
	} {
		questions := [_call(type, name) | some name in names]
		refused := [fixture.unmet(question, fixture.bundle) | some question in questions]
		fixture.listing(_list([_item(question) | some question in questions]), fixture.bundle) == refused
	}
}

test_what_is_held_or_needs_other_arguments_is_listed if {
	conditional := object.union(fixture.rule, {
		"rule": "x",
		"effect": "deny",
		"arguments": [{"path": "/channel", "equals": "general"}],
	})
	items := [_item(fixture.call), _item(_call("tool", "post_message"))]
	fixture.listing(_list(items), fixture.with_rule(conditional)) == [set(), set()]
}

test_a_relaxed_requirement_hides_nothing if {
	entry := {
		"mode": "warn",
		"owner": "alice@example.com",
		"reason": "Moving.",
		"expires": "2026-12-01T00:00:00Z",
	}
	items := [_item(_call("tool", "delete_message"))]
	fixture.listing(_list(items), fixture.bundle) == [{"rules_permit"}]
	relaxed := fixture.changed(fixture.bundle, ["enforcement"], {"rules_permit": entry})
	fixture.listing(_list(items), relaxed) == [set()]
	observed := fixture.changed(fixture.bundle, ["environment", "observe"], object.remove(entry, ["mode"]))
	fixture.listing(_list(items), observed) == [set()]
}

test_what_stands_for_the_whole_list_refuses_every_item if {
	items := [_item(fixture.call), _item(_call("tool", "post_message"))]
	expired := fixture.with_agent("expires", "2026-01-01T00:00:00Z")
	fixture.listing(_list(items), expired) == [{"agent_is_registered"}, {"agent_is_registered"}]
}

test_an_item_does_not_inherit_from_the_list if {
	base := fixture.changed(_list([]), ["definition"], {"sha256": "whole", "parts": {"a": "b"}, "annotations": {"x": 1}})
	unseen := object.union(_item(fixture.call), {"definition": null})
	fixture.listing(fixture.changed(base, ["items"], [unseen]), fixture.bundle) == [{"definition_is_unchanged"}]
}

test_an_item_has_nothing_of_the_question_about_the_list if {
	list := json.patch(_list([_item(fixture.call)]), [
		{"op": "add", "path": ["message", "retry", "has_state"], "value": true},
		{"op": "add", "path": ["message", "more"], "value": "x"},
		{"op": "add", "path": ["target", "more"], "value": "x"},
		{"op": "add", "path": ["arguments", "more"], "value": "x"},
		{"op": "add", "path": ["arguments_meta", "more"], "value": "x"},
		{"op": "add", "path": ["definition_status"], "value": "listing_failed"},
	])
	asked := data.mcp.admission._base with input as list
	object.keys(asked) & {"items", "message", "target", "definition", "definition_status", "arguments"} == set()
	not asked.arguments_meta
	object.union(asked, _item(fixture.call)) == object.remove(
		object.union(fixture.call, {"phase": "list"}),
		["items", "arguments", "arguments_meta"],
	)
}

test_an_empty_list_stays_empty if {
	fixture.listing(_list([]), fixture.bundle) == []
}

test_items_are_listed_or_not_in_their_order if {
	listing := data.mcp.admission.listing with input as _list([_item(fixture.call), _item(fixture.tool("hidden"))])
		with data.mcp.admission.unmet_standing as set()
		with data.mcp.admission.unmet_varying as {"target_is_listed"}
	listing == {
		"schema": "mcp.listing/v1",
		"items": [
			{"listed": false, "refused_by": ["target_is_listed"]},
			{"listed": false, "refused_by": ["target_is_listed"]},
		],
	}
}

test_what_the_server_may_ask_of_the_client_is_judged_as_that_request if {
	asked := [fixture.of_server(method) | some method in ["roots/list", "sampling/createMessage"]]
	items := [_item(question) | some question in asked]
	fixture.listing(_list(items), fixture.bundle) == [set(), {"server_requests_are_agreed"}]
}

test_a_capability_is_judged_by_what_the_catalog_lists if {
	items := [_item(fixture.changed(fixture.message("tools/list"), ["target", "name"], "tools"))]
	fixture.listing(_list(items), fixture.bundle) == [set()]
	empty := fixture.without(fixture.bundle, ["catalog", "targets", "slack", "tools"])
	fixture.listing(_list(items), empty) == [{"target_is_listed"}]
}

test_an_item_that_nothing_refuses_is_listed if {
	listing := data.mcp.admission.listing with input as _list([_item(fixture.call)])
		with data.mcp.admission.unmet_standing as set()
		with data.mcp.admission.unmet_varying as set()
	listing.items == [{"listed": true, "refused_by": []}]
}

_call(type, name) := json.patch(fixture.tool(name), [
	{"op": "replace", "path": ["target", "type"], "value": type},
	{"op": "replace", "path": ["message", "method"], "value": {"tool": "tools/call", "prompt": "prompts/get"}[type]},
])

_item(question) := object.filter(question, ["message", "target", "definition"])

_list(items) := object.union(fixture.message("tools/list"), {"phase": "list", "items": items})
