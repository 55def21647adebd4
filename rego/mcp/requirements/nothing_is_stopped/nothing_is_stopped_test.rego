package mcp.requirements.nothing_is_stopped_test

import data.mcp.lib.fixture_test as fixture
import data.mcp.requirements.nothing_is_stopped

_hour := 3600000000000

_later := fixture.now + _hour

_stops := {
	"agent": "bot",
	"principal": "sub-1",
	"server": "slack",
	"target": "slack/read_channel",
}

test_is_met_where_nothing_is_stopped if not _refused(fixture.call, fixture.bundle)

test_is_met_where_opa_follows_no_document_of_stops if {
	nothing_is_stopped.met with input as fixture.call
}

test_refuses_what_is_stopped_by_its_kind if {
	every kind, name in _stops { _refused(_jwt, fixture.with_stop(kind, name, _later)) }
	_refused(_jwt, fixture.with_stop("principal", "https://idp.example#sub-1", _later))
	_refused(fixture.tool("post_message"), fixture.with_stop("target", "slack/post_message", _later))
	resource := fixture.resource("slack://channels/general")
	_refused(resource, fixture.with_stop("target", "slack/slack://channels/general", _later))
}

test_leaves_alone_what_is_not_stopped if {
	every kind, names in {
		"agent": ["nobody", "bo", "bot "],
		"principal": ["sub-2", "https://other.example#sub-1", "https://idp.example", "cli-1"],
		"server": ["slac", "SLACK", "github"],
		"target": ["read_channel", "github/read_channel", "slack/post_message", "slack/"],
	} {
		every name in names { not _refused(_jwt, fixture.with_stop(kind, name, _later)) }
	}
	not _refused(fixture.call, fixture.with_stop("principal", "sub-1", _later))
}

test_a_stopped_target_is_no_message_without_target if {
	every method in ["tools/list", "initialize"] {
		not _refused(fixture.message(method), fixture.with_stop("target", "slack/read_channel", _later))
		_refused(fixture.message(method), fixture.with_stop("server", "slack", _later))
	}
	not _refused(
		fixture.of_server("roots/list"),
		fixture.with_stop("target", "slack/roots/list", _later),
	)
}

test_a_stop_ends_by_itself if {
	_refused(fixture.call, fixture.with_stop("agent", "bot", fixture.now + 1))
	not _refused(fixture.call, fixture.with_stop("agent", "bot", fixture.now))
	not _refused(fixture.call, fixture.with_stop("agent", "bot", fixture.now - _hour))
}

test_a_stop_whose_end_cannot_be_read_has_none if {
	every until in [null, "soon", "2026-11-20T13:00:00Z", false, [], {}] {
		_refused(fixture.call, fixture.with_stop("agent", "bot", until))
	}
	clockless := fixture.changed(fixture.call, ["context", "time", "unix_ns"], "now")
	_refused(clockless, fixture.with_stop("agent", "bot", fixture.now - _hour))
}

test_a_stop_stands_until_its_end_however_long_ago_it_says_that_it_was_made if {
	every at in ["2026-11-20T13:59:00Z", "2026-11-19T13:59:59.999Z", "2001-01-01T00:00:00Z", "yesterday", null] {
		made := fixture.changed(fixture.with_stop("agent", "bot", _later), ["emergency", "agent", "bot", 0, "at"], at)
		_refused(fixture.call, made)
	}
}

test_a_damaged_document_stops_everything if {
	every part in object.keys(fixture.no_stops) {
		_refused(fixture.call, _document(object.remove(fixture.no_stops, [part])))
		every value in [null, false, 7, "x", ["x"]] {
			_refused(fixture.call, _document(fixture.changed(fixture.no_stops, [part], value)))
		}
	}
	every value in [null, false, 7, "x", [], {}] { _refused(fixture.call, _document(value)) }
}

test_an_entry_that_is_no_list_of_stops_is_a_stop if {
	every value in [null, false, 7, "x", {}, {"until_unix_ns": 1}, [null], [7]] {
		_refused(fixture.call, _document(fixture.changed(fixture.no_stops, ["agent", "bot"], value)))
	}
}

test_says_what_is_stopped_by_whom_why_and_how_long if {
	said := "Stop `s1` by alice@example.com applies to agent bot until 2026-11-20T15:00:00Z: It went rogue."
	_because(fixture.with_stop("agent", "bot", _later)) == {said}
	endless := {"Stop `s1` by alice@example.com applies to agent bot until further notice: It went rogue."}
	every until in [null, "soon", 1795186800000000000.5, 9900000000000000000] {
		_because(fixture.with_stop("agent", "bot", until)) == endless
	}
	_because(fixture.bundle) == set()
	_because(_document({})) == {"The document of stops is damaged, so everything counts as stopped"}
	_because(_document(fixture.changed(fixture.no_stops, ["agent", "bot"], 7))) == set()
}

test_a_name_without_stops_and_no_name_are_not_stopped if {
	not _refused(fixture.call, _document(fixture.changed(fixture.no_stops, ["agent", "bot"], [])))
	not _refused(fixture.changed(_jwt, ["principal", "subject"], ""), fixture.changed(
		fixture.bundle,
		["index", "identities", "https://idp.example", "subject"],
		{"": "bot"},
	))
}

test_a_kind_that_is_not_there_stops_everything if {
	every kind in ["agent", "principal", "server", "target"] {
		_refused(fixture.call, _document(fixture.changed(fixture.no_stops, [kind], {})))
		_refused(fixture.call, _document(fixture.changed(fixture.no_stops, [kind, ""], null)))
	}
}

test_all_stops_of_one_name_count if {
	[over, standing] := [fixture.with_stop("agent", "bot", until) | some until in [fixture.now - 1, _later]]
	stops := array.concat(over.emergency.agent.bot, standing.emergency.agent.bot)
	_refused(fixture.call, _document(fixture.changed(fixture.no_stops, ["agent", "bot"], stops)))
	count(_because(_document(fixture.changed(fixture.no_stops, ["agent", "bot"], stops)))) == 1
}

test_what_is_stopped_is_refused_whatever_is_observed if {
	entry := {"owner": "alice@example.com", "reason": "Moving.", "expires": "2026-12-01T00:00:00Z"}
	stopped := fixture.with_stop("agent", "bot", _later)
	observed := fixture.changed(stopped, ["environment", "observe"], entry)
	fixture.decision(fixture.call, observed).outcome == "deny"
	[reason.requirement | some reason in fixture.decision(fixture.call, observed).reasons] == ["nothing_is_stopped"]
}

test_lists_hide_what_is_stopped if {
	items := [_item("read_channel"), _item("post_message")]
	asked := object.union(fixture.message("tools/list"), {"phase": "list", "items": items})
	fixture.listing(asked, fixture.with_stop("target", "slack/post_message", _later)) == [set(), {"nothing_is_stopped"}]
	fixture.listing(asked, fixture.with_stop("server", "slack", _later)) == [{"nothing_is_stopped"}, {"nothing_is_stopped"}]
}

# The values of the `_session` question, by selector.
_own := {
	"agent": "bot",
	"principal": "sub-1",
	"server": "slack",
	"target": "slack/read_channel",
	"session": "00112233445566778899aabbccddeeff",
	"group": "support",
	"label": "support",
	"kind": "claude-code",
	"tag": "messaging",
	"action": "read",
}

_newer := ["session", "group", "label", "kind", "tag", "action"]

test_refuses_what_a_newer_selector_matches if {
	every kind in _newer { _refused(_session, fixture.with_selected(kind, _own[kind], {}, _later)) }
	_refused(_session, fixture.with_selected("group", "https://idp.example#support", {}, _later))
}

test_leaves_alone_what_a_newer_selector_does_not_match if {
	every kind, names in {
		"session": ["ffeeddccbbaa99887766554433221100", "001122"],
		"group": ["sup", "https://other.example#support", "bot"],
		"label": ["sup", "claude-code"],
		"kind": ["cursor", "claude"],
		"tag": ["chat", "mess"],
		"action": ["write", "delete", "send", "execute", "list"],
	} {
		every name in names { not _refused(_session, fixture.with_selected(kind, name, {}, _later)) }
	}
}

test_a_message_without_a_session_or_groups_is_in_none if {
	every kind in ["session", "group"] { not _refused(fixture.call, fixture.with_selected(kind, _own[kind], {}, _later)) }
	without := fixture.changed(_session, ["context", "session"], "")
	not _refused(without, fixture.with_selected("session", _own.session, {}, _later))
	not _refused(without, fixture.with_selected("agent", "bot", {"session": _own.session}, _later))
}

test_an_unknown_action_is_each_of_the_actions if {
	every action in ["read", "write", "delete", "send", "execute", "list"] {
		_refused(fixture.tool("mystery"), fixture.with_selected("action", action, {}, _later))
		_refused(fixture.tool("mystery"), fixture.with_selected("agent", "bot", {"action": action}, _later))
	}
}

test_a_message_without_target_has_the_action_list if {
	_refused(fixture.message("tools/list"), fixture.with_selected("action", "list", {}, _later))
	not _refused(fixture.message("tools/list"), fixture.with_selected("action", "read", {}, _later))
}

test_all_selectors_of_a_stop_have_to_match if {
	every kind, name in _own {
		every other, value in _own {
			_refused(_session, fixture.with_selected(kind, name, {other: value}, _later))
			not _refused(_session, fixture.with_selected(kind, name, {other: "another"}, _later))
			not _refused(_session, fixture.with_selected(kind, "another", {other: value}, _later))
		}
	}
	all_but_kind := object.remove(_own, ["kind"])
	_refused(_session, fixture.with_selected("kind", _own.kind, all_but_kind, _later))
	one_off := object.union(all_but_kind, {"action": "delete"})
	not _refused(_session, fixture.with_selected("kind", _own.kind, one_off, _later))
	issued := {"principal": "https://idp.example#sub-1", "group": "https://idp.example#support"}
	_refused(_session, fixture.with_selected("kind", _own.kind, issued, _later))
	foreign := {"principal": "https://other.example#sub-1"}
	not _refused(_session, fixture.with_selected("kind", _own.kind, foreign, _later))
}

test_a_selector_that_this_library_does_not_know_matches_all if {
	_refused(_session, fixture.with_selected("agent", "bot", {"weather": "rain"}, _later))
	not _refused(_session, fixture.with_selected("agent", "bot", {"weather": "rain", "action": "delete"}, _later))
	every also in [null, 7, "x", ["x"], false] {
		_refused(_session, fixture.with_selected("agent", "bot", also, _later))
	}
}

test_a_combined_stop_ends_by_itself if {
	not _refused(_session, fixture.with_selected("kind", _own.kind, {"action": "read"}, fixture.now))
	_refused(_session, fixture.with_selected("kind", _own.kind, {"action": "read"}, fixture.now + 1))
}

test_a_newer_document_without_one_of_its_kinds_stops_everything if {
	every kind in array.concat(_newer, ["agent", "principal", "server", "target"]) {
		_refused(fixture.call, _document(object.remove(fixture.no_newer_stops, [kind])))
		every value in [null, false, 7, "x", [], {}] {
			_refused(fixture.call, _document(fixture.changed(fixture.no_newer_stops, [kind], value)))
		}
		_refused(fixture.call, _document(fixture.changed(fixture.no_newer_stops, [kind, ""], null)))
	}
	not _refused(fixture.call, _document(fixture.no_newer_stops))
	_refused(fixture.call, _document(fixture.changed(fixture.no_newer_stops, ["schema"], "mcp.emergency/v3")))
}

test_says_every_selector_of_a_stop if {
	said := "Stop `s1` by alice@example.com applies to kind claude-code, action read until 2026-11-20T15:00:00Z: It went rogue."
	_because(fixture.with_selected("kind", "claude-code", {"action": "read"}, _later)) == {said}
}

test_lists_hide_what_newer_selectors_match if {
	items := [_item("read_channel"), _item("post_message")]
	asked := object.union(fixture.message("tools/list"), {"phase": "list", "items": items})
	fixture.listing(asked, fixture.with_selected("kind", "claude-code", {"action": "send"}, _later)) == [
		set(),
		{"nothing_is_stopped"},
	]
	fixture.listing(asked, fixture.with_selected("action", "read", {"server": "slack"}, _later)) == [
		{"nothing_is_stopped"},
		set(),
	]
}

_session := object.union(_jwt, {
	"principal": object.union(_jwt.principal, {"groups": ["support", "staff"]}),
	"context": object.union(_jwt.context, {"session": _own.session}),
})

_item(name) := object.filter(fixture.tool(name), ["message", "target", "definition"])

_document(document) := fixture.changed(fixture.bundle, ["emergency"], document)

_jwt := fixture.changed(fixture.call, ["principal"], object.union(fixture.call.principal, {
	"method": "jwt",
	"issuer": "https://idp.example",
	"subject": "sub-1",
}))

_refused(question, policy) if fixture.refuses("nothing_is_stopped", question, policy)

_because(policy) := fixture.because("nothing_is_stopped", fixture.call, policy)
