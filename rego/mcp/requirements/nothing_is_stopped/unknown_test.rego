package mcp.requirements.nothing_is_stopped_test

import data.mcp.lib.fixture_test as fixture

test_a_stop_of_a_group_binds_whose_groups_are_unknown if {
	every name in ["sales", "https://other.example#sales"] {
		not _refused(_known([]), fixture.with_selected("group", name, {}, _later))
		_refused(_known(["groups"]), fixture.with_selected("group", name, {}, _later))
		_refused(_known(["groups"]), fixture.with_selected("agent", "bot", {"group": name}, _later))
		not _refused(_known(["groups"]), fixture.with_selected("agent", "other", {"group": name}, _later))
		not _refused(_known(["groups"]), fixture.with_selected("group", name, {"action": "delete"}, _later))
	}
	not _refused(_known(["groups"]), fixture.with_selected("group", "sales", {}, fixture.now))
	not _refused(_known(["groups"]), _document(fixture.no_newer_stops))
}

test_a_stop_of_a_principal_binds_who_has_no_known_subject if {
	nameless := fixture.changed(_known(["subject"]), ["principal", "subject"], null)
	_refused(nameless, fixture.with_stop("principal", "sub-2", _later))
	_refused(nameless, fixture.with_selected("action", "read", {"principal": "sub-2"}, _later))
	not _refused(nameless, _document(fixture.no_stops))
	not _refused(_known([]), fixture.with_stop("principal", "sub-2", _later))
}

_known(unknown) := fixture.jwt({"subject": "sub-1", "client_id": "cli-1", "groups": ["support"], "unknown": unknown})
