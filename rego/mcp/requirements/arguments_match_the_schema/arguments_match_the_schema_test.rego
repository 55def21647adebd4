package mcp.requirements.arguments_match_the_schema_test

import data.mcp.lib.fixture_test as fixture

test_is_met_by_arguments_that_match_or_need_not if {
	every verdict in ["match", "none"] { not _refused(_checked(verdict)) }
}

test_refuses_what_does_not_match_or_was_not_checked if {
	every verdict, message in {
		"mismatch": "The arguments do not match the schema that the server presents",
		"uncheckable": "The arguments cannot be checked against the schema that the server presents",
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

test_says_what_is_wrong_in_the_words_of_the_gateway if {
	errors := [{"path": "/a", "keyword": "type", "message": "argument `a` is null"}]
	question := fixture.changed(_checked("mismatch"), ["arguments_meta", "errors"], errors)
	_refused(question)
	fixture.because("arguments_match_the_schema", question, fixture.bundle) == {"argument `a` is null"}
	hidden := fixture.changed(question, ["target", "name"], "hidden")
	fixture.because("arguments_match_the_schema", hidden, fixture.bundle) == set()
}

test_takes_formats_for_hints_unless_the_catalog_asks_for_them if {
	every formats in ["match", "mismatch", "uncheckable", "none", "", null] { not _refused(_formatted(formats)) }
	not _refused(fixture.call)
}

test_refuses_other_formats_where_the_catalog_asks_for_them if {
	asking := fixture.with_server("check_formats", true)
	every formats in ["match", "none"] { not _refused_in(_formatted(formats), asking) }
	every formats in ["mismatch", "uncheckable", "", null] {
		_refused_in(_formatted(formats), asking)
		fixture.because("arguments_match_the_schema", _formatted(formats), asking) == {"The arguments do not match the formats in the schema that the server presents"}
	}
	_refused_in(fixture.call, asking)
	not _refused_in(_checked("none"), asking)
	every damaged in [null, "false", 0] {
		_refused_in(_formatted("mismatch"), fixture.with_server("check_formats", damaged))
	}
	_refused_in(_formatted("mismatch"), fixture.without(fixture.bundle, ["catalog", "servers", "slack", "check_formats"]))
}

test_tolerates_what_cannot_be_checked_only_where_the_environment_does if {
	every pointers in [[], ["/properties/a/pattern"]] { not _refused(_unchecked(pointers)) }
	strict := fixture.changed(fixture.bundle, ["environment", "check_schemas"], "strict")
	every damaged in [strict, fixture.without(fixture.bundle, ["environment", "check_schemas"])] {
		_refused_in(_unchecked(["/properties/a/pattern"]), damaged)
		_refused_in(_unchecked("/properties/a/pattern"), damaged)
		not _refused_in(_unchecked([]), damaged)
		not _refused_in(fixture.call, damaged)
	}
	fixture.because("arguments_match_the_schema", _unchecked(["/a", "/b"]), strict) == {"The server's schema has keywords that cannot be checked (/a, /b), and this environment refuses such tools"}
}

test_judges_messages_without_target if {
	not _refused(fixture.message("tools/list"))
}

test_asks_nothing_of_list_items if {
	not fixture.refuses("arguments_match_the_schema", _checked("mismatch"), fixture.bundle)
}

_formatted(verdict) := fixture.changed(fixture.call, ["arguments_meta", "formats"], verdict)

_unchecked(pointers) := fixture.changed(fixture.call, ["arguments_meta", "unchecked"], pointers)

_checked(verdict) := fixture.changed(fixture.call, ["arguments_meta", "schema"], verdict)

_refused_in(question, bundle) if fixture.refuses_arguments("arguments_match_the_schema", question, bundle)

_refused(question) if fixture.refuses_arguments("arguments_match_the_schema", question, fixture.bundle)
