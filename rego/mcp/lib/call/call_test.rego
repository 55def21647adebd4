package mcp.lib.call_test

import data.mcp.lib.call
import data.mcp.lib.fixture_test as fixture

test_names_what_the_bundle_knows_of_a_call if {
	known := _seen(fixture.call, fixture.bundle)
	known.agent_id == "bot"
	known.agent.kind == "claude-code"
	known.server.trust == "low"
	known.target.action == "read"
	known.credential == {"name": "slack", "per": "shared"}
	known.pin == "match"
	known.drift == set()
	known.action == "read"
	known.action_source == "catalog"
	known.target_text == "read_channel"
	not known.targetless
}

test_says_nothing_of_what_the_bundle_does_not_know if {
	stranger := fixture.changed(fixture.tool("hidden"), ["principal", "credential_sha256"], "x")
	unknown := _seen(stranger, fixture.with_server("credential", null))
	every name in ["agent_id", "agent", "target", "credential"] { not unknown[name] }
	unknown.action == "unknown"
}

test_takes_nothing_for_an_entry_that_is_no_object if {
	every path, name in {
		["catalog", "servers", "slack"]: "server",
		["catalog", "targets", "slack", "tools", "read_channel"]: "target",
		["agents", "bot"]: "agent",
	} {
		every value in [null, false, "x", ["x"]] {
			known := _seen(fixture.call, fixture.changed(fixture.bundle, path, value))
			not known[name]
		}
	}
}

test_tells_how_a_definition_has_drifted if {
	_seen(fixture.tool("post_message"), fixture.bundle).drift == set()
	changed := fixture.changed(fixture.call, ["definition", "sha256"], "new")
	_seen(changed, fixture.bundle).drift == {"other"}
	described := fixture.changed(changed, ["definition", "parts", "description"], "new")
	_seen(described, fixture.bundle).drift == {"description"}
}

test_a_message_without_target_lists if {
	known := _seen(fixture.message("tools/list"), fixture.bundle)
	known.targetless
	known.action == "list"
	known.action_source == "default"
	known.pin == "unpinned"
}

test_takes_the_action_from_annotations_where_the_catalog_believes_them if {
	believing := fixture.with_server("believe_annotations", true)
	every case in [
		{"hints": {"readOnlyHint": true}, "action": "read", "source": "annotation"},
		{"hints": {"readOnlyHint": true, "destructiveHint": true}, "action": "unknown", "source": "default"},
		{"hints": {"readOnlyHint": false}, "action": "unknown", "source": "default"},
		{"hints": {"readOnlyHint": "true"}, "action": "unknown", "source": "default"},
		{"hints": {"readOnlyHint": false, "destructiveHint": false}, "action": "unknown", "source": "default"},
		{
			"hints": {"readOnlyHint": false, "destructiveHint": false, "openWorldHint": false},
			"action": "write",
			"source": "annotation",
		},
		{"hints": {"readOnlyHint": false, "openWorldHint": false}, "action": "unknown", "source": "default"},
		{"hints": {"destructiveHint": false, "openWorldHint": false}, "action": "unknown", "source": "default"},
		{"hints": {}, "action": "unknown", "source": "default"},
	] {
		question := _hinted(fixture.tool("mystery"), case.hints)
		known := _seen(question, believing)
		known.action == case.action
		known.action_source == case.source
		_seen(question, fixture.bundle).action == "unknown"
	}
}

test_the_catalog_beats_annotations_even_where_it_is_damaged if {
	believing := fixture.with_server("believe_annotations", true)
	_seen(_hinted(fixture.tool("delete_message"), {"readOnlyHint": true}), believing).action == "delete"
	every value in ["reed", null, 7, false] {
		path := ["catalog", "targets", "slack", "tools", "delete_message", "action"]
		damaged := fixture.changed(believing, path, value)
		known := _seen(_hinted(fixture.tool("delete_message"), {"readOnlyHint": true}), damaged)
		known.action == "unknown"
		known.action_source == "default"
	}
	_seen(_hinted(fixture.tool("hidden"), {"readOnlyHint": true}), believing).action == "unknown"
}

test_an_unknown_action_may_be_any if {
	call.may("send") with call.action as "send"
	call.may("send") with call.action as "unknown"
	not _may_send_when_reading
}

_may_send_when_reading if {
	call.may("send") with call.action as "read"
}

_hinted(question, hints) := fixture.changed(question, ["definition", "annotations"], hints)

_seen(question, policy) := known if {
	known := data.mcp.lib.call with input as question
		with data.catalog as policy.catalog
		with data.agents as policy.agents
		with data.index as policy.index
}
