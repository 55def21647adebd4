package mcp.requirements.arguments_match_the_schema_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_arguments_that_match_or_need_not if {
	every verdict in ["match", "none"] { not _refused(_checked(verdict)) }
}

test_refuses_what_does_not_match_or_was_not_checked if {
	every verdict, message in {
		"mismatch": "the arguments do not match the schema that the server presents",
		"uncheckable": "the arguments cannot be checked against the schema that the server presents",
	} {
		_refused(_checked(verdict))
		fixture.because("arguments_match_the_schema", _checked(verdict), fixture.bundle) == {message}
	}
}

test_refuses_a_verdict_that_it_does_not_know if {
	every verdict in ["", "MATCH", null, true] { _refused(_checked(verdict)) }
	_refused(fixture.without(fixture.call, ["arguments_meta"]))
}

test_says_the_same_of_an_unlisted_target_whether_or_not_the_server_has_it if {
	every verdict in ["match", "none", "mismatch", "uncheckable"] {
		question := fixture.changed(_checked(verdict), ["target", "name"], "hidden")
		_refused(question)
		fixture.because("arguments_match_the_schema", question, fixture.bundle) == set()
	}
}

test_judges_messages_without_target if {
	not _refused(fixture.message("tools/list"))
}

test_asks_nothing_of_list_items if {
	not fixture.refuses("arguments_match_the_schema", _checked("mismatch"), fixture.bundle)
}

_checked(verdict) := fixture.changed(fixture.call, ["arguments_meta", "schema"], verdict)

_refused(question) if fixture.refuses_arguments("arguments_match_the_schema", question, fixture.bundle)
