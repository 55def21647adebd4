package mcp.requirements.definition_is_unchanged_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_the_pinned_definition if {
	not _refused(fixture.call, fixture.bundle)
	fixture.decision(fixture.call, fixture.bundle).resolved.pin == "match"
}

test_takes_each_class_of_change_as_the_data_says if {
	every class, presented in _changes {
		question := fixture.changed(fixture.call, ["definition"], presented)
		every meaning in ["allow", "warn"] { not _refused(question, _drift({class: meaning})) }
		every meaning in ["deny", "", null, true] { _refused(question, _drift({class: meaning})) }
		_refused(question, _drift({other: "allow" | some other, _ in _changes; other != class}))
		fixture.decision(question, fixture.bundle).resolved.pin == "drift"
	}
}

# Reviewers read the text of the parts. A digest of the whole that belongs to other text must not admit them.
test_refuses_the_pinned_digest_with_other_parts if {
	every parts in [{"description": "new", "inputSchema": "s"}, {"description": "d"}, {}, null] {
		question := fixture.changed(fixture.call, ["definition", "parts"], parts)
		_refused(question, _drift({}))
		fixture.decision(question, _drift({})).resolved.pin == "drift"
	}
	unreviewed := fixture.changed(
		_drift({}),
		["catalog", "targets", "slack", "tools", "read_channel", "pin", "parts", "icons"],
		"i",
	)
	_refused(fixture.call, unreviewed)
}

_forbidden := "52ff05b03bdc12840246937060687ff160a610a978c5933804c97eee503186b1"

_empty := "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

test_takes_the_default_execution_of_a_tool_for_none if {
	reviewed := {"description": "d", "inputSchema": "s"}
	every pair in [
		[{}, {"execution": _forbidden}],
		[{"execution": _forbidden}, {}],
		[{"execution": _empty}, {"execution": _forbidden}],
	] {
		question := _presented(object.union(reviewed, pair[1]))
		pinned := _pinned(object.union(reviewed, pair[0]))
		not _refused(question, pinned)
		fixture.decision(question, pinned).resolved.pin == "match"
	}
}

test_refuses_another_execution_and_another_change_next_to_the_default if {
	reviewed := {"description": "d", "inputSchema": "s"}
	every pair in [
		[{}, {"execution": "optional"}],
		[{"execution": "optional"}, {}],
		[{"execution": "optional"}, {"execution": _forbidden}],
		[{"execution": _forbidden}, {"description": "new"}],
		[{}, {"execution": _forbidden, "description": "new"}],
		[{}, {"execution": _forbidden, "icons": "i"}],
	] {
		question := _presented(object.union(reviewed, pair[1]))
		_refused(question, _pinned(object.union(reviewed, pair[0])))
	}
	_refused(_presented({"execution": _forbidden}), _pinned(reviewed))
	_refused(_presented(null), _pinned(object.union(reviewed, {"execution": _forbidden})))
	unseen := fixture.changed(_presented(reviewed), ["definition", "sha256"], null)
	_refused(unseen, _pinned(object.union(reviewed, {"execution": _forbidden})))
}

test_the_default_execution_is_no_change_next_to_a_tolerated_one if {
	pinned := fixture.changed(
		_drift({"description": "allow"}),
		["catalog", "targets", "slack", "tools", "read_channel", "pin", "parts"],
		{"description": "d", "inputSchema": "s", "execution": _empty},
	)
	not _refused(_presented({"description": "new", "inputSchema": "s"}), pinned)
	not _refused(_presented({"description": "new", "inputSchema": "s", "execution": _forbidden}), pinned)
	_refused(_presented({"description": "new", "inputSchema": "s", "execution": "optional"}), pinned)
}

_presented(parts) := fixture.changed(
	fixture.call, ["definition"],
	{"sha256": "new", "parts": parts, "annotations": {}},
)

_pinned(parts) := fixture.changed(
	_drift({}),
	["catalog", "targets", "slack", "tools", "read_channel", "pin", "parts"],
	parts,
)

test_refuses_two_changes_of_which_one_is_tolerated if {
	presented := {"sha256": "new", "parts": {"description": "new", "inputSchema": "new"}, "annotations": {}}
	question := fixture.changed(fixture.call, ["definition"], presented)
	_refused(question, _drift({"description": "allow"}))
	not _refused(question, _drift({"description": "allow", "schema": "warn"}))
	fixture.because("definition_is_unchanged", question, fixture.bundle) == {concat(" ", [
		"The server changed the definition since it was reviewed",
		"(description, schema)",
	])}
}

test_refuses_a_change_of_no_known_class if {
	pinned := fixture.changed(
		_drift({class: "allow" | some class in ({"other"} | object.keys(_changes))}),
		["catalog", "targets", "slack", "tools", "read_channel", "pin", "parts", "_meta"],
		"m",
	)
	every parts in [
		{"description": "d", "inputSchema": "s", "_meta": "m"},
		{"description": "d", "inputSchema": "s", "_meta": "new"},
	] {
		presented := {"sha256": "new", "parts": parts, "annotations": {}}
		_refused(fixture.changed(fixture.call, ["definition"], presented), pinned)
	}
}

test_a_change_of_no_known_class_is_not_hidden_by_one_that_is_tolerated if {
	pinned := fixture.changed(
		_drift({"description": "allow"}),
		["catalog", "targets", "slack", "tools", "read_channel", "pin", "parts", "_meta"],
		"m",
	)
	presented := {"description": "new", "inputSchema": "s"}
	question := fixture.changed(fixture.call, ["definition"], {
		"sha256": "new",
		"parts": object.union(presented, {"_meta": "m"}),
		"annotations": {},
	})
	not _refused(question, pinned)
	_refused(fixture.changed(question, ["definition", "parts"], object.union(presented, {"_meta": "new"})), pinned)
}

test_what_has_no_definition_needs_no_pin if {
	strict := fixture.changed(fixture.bundle, ["environment", "require_pins"], true)
	task := fixture.changed(fixture.message("tasks/get"), ["target"], {"type": "task", "name": "t-1", "uri": null})
	every question in [fixture.message("tools/list"), task] {
		not _refused(question, strict)
		fixture.decision(question, strict).resolved.pin == "unpinned"
	}
}

test_unseen_is_never_a_match if {
	every definition in [null, {}, "whole"] {
		every name in ["read_channel", "post_message"] {
			question := fixture.changed(fixture.tool(name), ["definition"], definition)
			_refused(question, fixture.bundle)
			fixture.because("definition_is_unchanged", question, fixture.bundle) == {concat(" ", [
				"The server did not show the target, or could not be asked for it,",
				"so its definition cannot be compared with the reviewed one",
			])}
			fixture.decision(question, fixture.bundle).resolved.pin == "unseen"
		}
	}
}

test_takes_what_has_no_pin_and_is_said_not_to_be_seen if {
	strict := fixture.changed(fixture.bundle, ["environment", "require_pins"], true)
	unlisted := fixture.without(fixture.bundle, ["catalog", "targets", "slack", "tools", "post_message"])
	every status in ["not_listed", "listing_failed"] {
		question := _unseen("post_message", status)
		not _refused(question, fixture.bundle)
		fixture.decision(question, fixture.bundle).resolved.pin == "unseen"
		_refused(question, strict)
		_refused(question, unlisted)
		_refused(_unseen("read_channel", status), fixture.bundle)
	}
	every status in ["seen", "", null, true] { _refused(_unseen("post_message", status), fixture.bundle) }
}

test_says_why_what_is_pinned_was_not_seen if {
	every status, words in {
		"not_listed": "The server's list does not contain the target, so its definition cannot be compared with the reviewed one",
		"listing_failed": "The server's list failed, so the definition cannot be compared with the reviewed one",
	} {
		fixture.because("definition_is_unchanged", _unseen("read_channel", status), fixture.bundle) == {words}
	}
}

test_a_change_is_refused_whatever_the_status_says if {
	presented := {"sha256": "new", "parts": {"description": "d", "inputSchema": "new"}, "annotations": {}}
	every status in ["not_listed", "listing_failed", "seen"] {
		changed := fixture.changed(fixture.call, ["definition"], presented)
		_refused(object.union(changed, {"definition_status": status}), _drift({}))
	}
}

test_takes_an_unpinned_resource_that_no_list_shows if {
	not _refused(fixture.resource("slack://channels/random"), fixture.bundle)
	pinned := fixture.changed(
		fixture.bundle, ["catalog", "targets", "slack", "resource_prefixes", 0, "pin"],
		{"sha256": "x", "parts": {}},
	)
	_refused(fixture.resource("slack://channels/random"), pinned)
}

test_takes_what_has_no_pin_unless_pins_are_required if {
	not _refused(fixture.tool("post_message"), fixture.bundle)
	fixture.decision(fixture.tool("post_message"), fixture.bundle).resolved.pin == "unpinned"
	every policy in [
		fixture.changed(fixture.bundle, ["environment", "require_pins"], true),
		fixture.changed(fixture.bundle, ["environment", "require_pins"], "no"),
		fixture.without(fixture.bundle, ["environment", "require_pins"]),
	] {
		_refused(fixture.tool("post_message"), policy)
		_refused(fixture.resource("slack://channels/random"), policy)
		fixture.because("definition_is_unchanged", fixture.tool("post_message"), policy) == {concat(" ", [
			"The definition was never reviewed: it has no pin,",
			"and this environment requires one",
		])}
	}
}

test_a_pinned_but_unseen_definition_is_reported_as_unseen_if_pins_are_required if {
	strict := fixture.changed(fixture.bundle, ["environment", "require_pins"], true)
	unseen := fixture.changed(fixture.call, ["definition"], null)
	some message in fixture.because("definition_is_unchanged", unseen, strict)
	startswith(message, "The server did not show the target")
}

test_nothing_is_not_the_same_as_nothing if {
	path := ["catalog", "targets", "slack", "tools", "read_channel", "pin", "sha256"]
	blank := fixture.changed(fixture.call, ["definition", "sha256"], null)
	_refused(blank, fixture.changed(fixture.bundle, path, null))
}

test_refuses_a_damaged_pin if {
	path := ["catalog", "targets", "slack", "tools", "post_message", "pin"]
	_refused(fixture.tool("post_message"), fixture.without(fixture.bundle, path))
	every value in [false, 7, "whole", {}, {"sha256": null}, {"parts": {}}] {
		_refused(fixture.tool("post_message"), fixture.changed(fixture.bundle, path, value))
	}
}

test_refuses_an_unlisted_target_alike_whether_or_not_the_server_has_it if {
	every definition in [null, fixture.call.definition] {
		question := fixture.changed(fixture.tool("hidden"), ["definition"], definition)
		_refused(question, fixture.bundle)
		fixture.because("definition_is_unchanged", question, fixture.bundle) == set()
	}
}

test_asks_nothing_of_messages_without_definition if {
	not _refused(fixture.message("tools/list"), fixture.bundle)
}

_changes := {
	"description": {"sha256": "new", "parts": {"description": "new", "inputSchema": "s"}, "annotations": {}},
	"schema": {"sha256": "new", "parts": {"description": "d", "inputSchema": "new"}, "annotations": {}},
	"added": {"sha256": "new", "parts": {"description": "d", "inputSchema": "s", "title": "t"}, "annotations": {}},
	"removed": {"sha256": "new", "parts": {"inputSchema": "s"}, "annotations": {}},
}

_unseen(name, status) := object.union(
	fixture.changed(fixture.tool(name), ["definition"], null),
	{"definition_status": status},
)

_drift(meanings) := fixture.changed(fixture.bundle, ["catalog", "servers", "slack", "definition_drift"], meanings)

_refused(question, policy) if fixture.refuses("definition_is_unchanged", question, policy)
