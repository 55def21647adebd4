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
	said := "agent bot is stopped by alice@example.com until 2026-11-20T15:00:00Z: It went rogue. (stop s1)"
	_because(fixture.with_stop("agent", "bot", _later)) == {said}
	endless := {"agent bot is stopped by alice@example.com until further notice: It went rogue. (stop s1)"}
	every until in [null, "soon", 1795186800000000000.5, 9900000000000000000] {
		_because(fixture.with_stop("agent", "bot", until)) == endless
	}
	_because(fixture.bundle) == set()
	_because(_document({})) == {"the document of stops is damaged, so that everything counts as stopped"}
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

_item(name) := object.filter(fixture.tool(name), ["message", "target", "definition"])

_document(document) := fixture.changed(fixture.bundle, ["emergency"], document)

_jwt := fixture.changed(fixture.call, ["principal"], object.union(fixture.call.principal, {
	"method": "jwt",
	"issuer": "https://idp.example",
	"subject": "sub-1",
}))

_refused(question, policy) if fixture.refuses("nothing_is_stopped", question, policy)

_because(policy) := fixture.because("nothing_is_stopped", fixture.call, policy)
