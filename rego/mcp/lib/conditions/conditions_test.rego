package mcp.lib.conditions_test

import data.mcp.lib.conditions

test_a_pointer_finds_what_it_names if {
	every path, value in {
		"/a": 1,
		"/b/c": "deep",
		"/list/0": "first",
		"/list/1/x": "second",
		"/odd~1key": "slash",
		"/odd~0key": "tilde",
		"/numbers/7": "seven",
		"/mixed/0/7": "both",
		"/mixed/0/8/1": "b",
		"/false": false,
		"/null": null,
		"/": "empty",
	} {
		_holds({"path": path, "equals": value})
	}
}

test_what_a_pointer_does_not_find_can_neither_hold_nor_fail if {
	every path in ["/x", "/a/b", "/list/2", "/list/x", "/list/-", "/list/01", "/b/c/d"] {
		every value in [null, "", 0, false] {
			not _holds({"path": path, "equals": value})
			not _fails({"path": path, "equals": value})
		}
	}
}

test_arguments_that_are_no_object_hold_nothing if {
	every value in ["x", null, ["a"], 7] {
		not _holds_for({"path": "/a", "equals": 1}, value)
		not _fails_for({"path": "/a", "equals": 1}, value)
	}
}

test_numbers_are_compared_by_value if {
	_holds({"path": "/a", "equals": 1.0})
	every condition in [{"at_most": 1}, {"at_least": 1}, {"at_least": 0.5}, {"above": 0.5}, {"below": 1.5}] {
		_verdict(condition, 1) == "holds"
	}
	every condition in [{"at_most": 0.5}, {"at_least": 1.5}, {"above": 1}, {"below": 1}] {
		_verdict(condition, 1) == "fails"
	}
	every condition in [{"at_most": 1}, {"at_least": 1}, {"above": 1}, {"below": 1}] {
		every value in ["1", null, true, [1], {"a": 1}] { _verdict(condition, value) == "unknown" }
	}
	every word in ["at_most", "at_least", "above", "below"] { _verdict({word: "1"}, 1) == "unknown" }
}

test_a_length_is_of_a_text_or_a_list if {
	every value in ["äbc", [1, 2, 3]] {
		every length in [{"equals": 3}, {"at_most": 3}, {"at_least": 3}, {"above": 2}, {"below": 4}] {
			_verdict({"length": length}, value) == "holds"
		}
		every length in [{"equals": 2}, {"at_most": 2}, {"at_least": 4}, {"above": 3}, {"below": 3}] {
			_verdict({"length": length}, value) == "fails"
		}
	}
	every value in [3, null, true, {"a": 1, "b": 2, "c": 3}] { _verdict({"length": {"equals": 3}}, value) == "unknown" }
	every value in ["", []] { _verdict({"length": {"equals": 0}}, value) == "holds" }
}

test_the_opposite_of_what_cannot_be_judged_cannot_be_judged if {
	_verdict({"not": {"equals": "x"}}, "y") == "holds"
	_verdict({"not": {"equals": "x"}}, "x") == "fails"
	_verdict({"not": {"equals": "x"}}, 7) == "unknown"
	_verdict({"not": {"not": {"equals": "x"}}}, "x") == "holds"
	_verdict({"not": {"not": {"not": {"equals": "x"}}}}, "x") == "fails"
	_verdict({"not": {}}, "x") == "unknown"
	_verdict({"not": {"sounds_like": "x"}}, "x") == "unknown"
}

test_none_of_several_tests_holds if {
	tests := {"none_of": [{"prefix": "a"}, {"at_most": 5}]}
	_verdict({"none_of": [{"prefix": "a"}, {"equals": "b"}]}, "c") == "holds"
	_verdict(tests, "ab") == "fails"
	_verdict(tests, 3) == "fails"
	_verdict(tests, "c") == "unknown"
	_verdict(tests, null) == "unknown"
	_verdict({"none_of": []}, "x") == "unknown"
	_verdict({"not": {"none_of": [{"equals": "a"}]}}, "a") == "holds"
	_verdict({"not": {"not": {"none_of": [{"equals": "a"}]}}}, "b") == "holds"
}

test_elements_are_those_of_a_list_that_has_some if {
	every case in [
		[["a"], "holds", "holds"],
		[["a", "b"], "holds", "fails"],
		[["b"], "fails", "fails"],
		[["a", 7], "holds", "unknown"],
		[["b", 7], "unknown", "fails"],
		[[], "unknown", "unknown"],
		["a", "unknown", "unknown"],
		[{"x": "a"}, "unknown", "unknown"],
		[null, "unknown", "unknown"],
	] {
		[value, any_element, every_element] := case
		_verdict({"any_element": {"equals": "a"}}, value) == any_element
		_verdict({"every_element": {"equals": "a"}}, value) == every_element
		_verdict({"not": {"any_element": {"equals": "a"}}}, value) == _opposite[any_element]
		_verdict({"not": {"every_element": {"equals": "a"}}}, value) == _opposite[every_element]
		_verdict({"every_element": {"any_element": {"equals": "a"}}}, [value]) == any_element
		_verdict({"any_element": {"every_element": {"equals": "a"}}}, [value]) == every_element
		_verdict({"not": {"not": {"any_element": {"equals": "a"}}}}, value) == any_element
		_verdict({"not": {"not": {"every_element": {"equals": "a"}}}}, value) == every_element
	}
}

test_tests_do_not_nest_deeper_than_four if {
	_verdict({"any_element": {"every_element": {"not": {"equals": "a"}}}}, [["b"]]) == "holds"
	_verdict({"not": {"not": {"not": {"not": {"equals": "a"}}}}}, "a") == "unknown"
}

test_only_absence_says_something_of_a_missing_argument if {
	every path in ["/x", "/b/x", "/list/2", "/list/1/y", "/new/deep/er"] {
		_holds({"path": path, "absent": true})
		_fails({"path": path, "not": {"absent": true}})
		_fails({"path": path, "none_of": [{"absent": true}, {"equals": "x"}]})
		every test in [{"equals": null}, {"length": {"equals": 0}}, {"any_element": {"absent": true}}] {
			not _holds(object.union({"path": path}, test))
			not _fails(object.union({"path": path}, test))
			not _holds({"path": path, "not": test})
			not _fails({"path": path, "not": test})
		}
	}
	every path in ["/a", "/null", "/false", "/list", "/list/0", "/mixed/0/7"] {
		_fails({"path": path, "absent": true})
		not _holds({"path": path, "absent": true})
		every present in [{"path": path, "not": {"absent": true}}, {"path": path, "none_of": [{"absent": true}]}] {
			_holds(present)
			not _fails(present)
		}
	}
}

test_nothing_is_absent_where_nothing_can_be if {
	every path in ["/a/x", "/null/x", "/b/c/d", "/list/x", "/list/-", "/list/01"] {
		not _holds({"path": path, "absent": true})
		not _fails({"path": path, "absent": true})
		not _holds({"path": path, "not": {"absent": true}})
	}
	every value in ["x", null, ["a"], 7] {
		not _holds_for({"path": "/a", "absent": true}, value)
		not _fails_for({"path": "/a", "absent": true}, value)
	}
}

test_a_host_is_a_name_or_below_one if {
	facts := {"/a": {"host": "api.example.com"}}
	every names in [["api.example.com"], ["x", "*.example.com"], ["*.com"]] {
		_verdict_with({"host": names}, "https://api.example.com/x", facts) == "holds"
		_verdict_with({"not": {"host": names}}, "https://api.example.com/x", facts) == "fails"
	}
	others := ["example.com", "*.api.example.com", "*.xample.com", "pi.example.com", "*", "*.example.co"]
	every names in [[name] | some name in others] {
		_verdict_with({"host": names}, "https://api.example.com/x", facts) == "fails"
	}
	_verdict_with({"host": ["*.example.com"]}, "https://example.com", {"/a": {"host": "example.com"}}) == "fails"
	_verdict_with({"host": ["*.example.com"]}, "https://.example.com", {"/a": {"host": ".example.com"}}) == "fails"
	_verdict_with({"host": ["192.0.2.1", "::1"]}, "http://[::1]/", {"/a": {"host": "::1"}}) == "holds"
}

test_a_domain_is_that_of_each_address if {
	facts := {"/a/0": {"domain": "example.com"}, "/a/1": {"domain": "rival.example"}}
	addresses := ["a@example.com", "b@rival.example"]
	_verdict_with({"any_element": {"domain": ["example.com"]}}, addresses, facts) == "holds"
	_verdict_with({"every_element": {"domain": ["example.com"]}}, addresses, facts) == "fails"
	_verdict_with({"any_element": {"not": {"domain": ["example.com"]}}}, addresses, facts) == "holds"
	_verdict_with({"every_element": {"domain": ["example.com"]}}, ["a@example.com", "a"], facts) == "fails"
	one := {"/a/0": {"domain": "example.com"}}
	_verdict_with({"every_element": {"domain": ["example.com"]}}, ["a@example.com", "a"], one) == "unknown"
	_verdict_with({"any_element": {"every_element": {"domain": ["x"]}}}, [["a@x"]], {"/a/0/0": {"domain": "x"}}) == "holds"
	_verdict_with({"domain": ["example.com"]}, "a@example.com", {"/a": {"host": "example.com"}}) == "unknown"
}

test_a_path_is_a_root_or_lies_below_one if {
	every case in [
		[["/reports"], "/reports", "holds"],
		[["/reports"], "/reports/a/b", "holds"],
		[["/reports"], "/reports2", "fails"],
		[["/reports"], "/", "fails"],
		[["/reports"], "reports/a", "unknown"],
		[["/"], "/etc/passwd", "holds"],
		[["/"], "/", "holds"],
		[["/"], "a", "unknown"],
		[["reports"], "reports/a", "holds"],
		[["reports"], "a", "fails"],
		[["reports"], "/reports/a", "unknown"],
		[["."], "a/b", "holds"],
		[["."], ".", "holds"],
		[["."], "/a", "unknown"],
		[["a", "/b"], "/a", "fails"],
		[["a", "/b"], "/b/c", "holds"],
	] {
		[roots, path, verdict] := case
		_verdict_with({"within": roots}, "as written", {"/a": {"path": path}}) == verdict
		_verdict_with({"not": {"within": roots}}, "as written", {"/a": {"path": path}}) == _opposite[verdict]
	}
}

test_sql_only_does_what_is_listed if {
	every case in [
		[["select"], ["select"], "holds"],
		[["select", "call"], ["select"], "holds"],
		[["select"], ["delete", "select"], "fails"],
		[["select"], ["select", "several"], "fails"],
		[["select", "several"], ["select", "several"], "holds"],
		[["select"], ["other"], "fails"],
		[["select"], [], "unknown"],
		[["select"], null, "unknown"],
		[["select"], "select", "unknown"],
	] {
		[only, kinds, verdict] := case
		test := {"sql": {"dialect": "postgres", "only": only}}
		_verdict_with(test, "as written", {"/a": {"postgres": kinds}}) == verdict
		_verdict_with({"not": test}, "as written", {"/a": {"postgres": kinds}}) == _opposite[verdict]
		_verdict_with(test, "as written", {"/a": {"mysql": kinds}}) == "unknown"
		_verdict_with(test, 7, {"/a": {"postgres": kinds}}) == "unknown"
	}
}

test_a_fact_that_is_not_there_is_unknown if {
	every test in [{"host": ["a"]}, {"domain": ["a"]}, {"within": ["a"]}] {
		elsewhere := {"/b": {"host": "a", "domain": "a", "path": "a"}}
		every facts in [{}, null, elsewhere, {"/a": {}}, {"/a": {"host": 1, "path": null}}] {
			_verdict_with(test, "a", facts) == "unknown"
			_verdict_with({"not": test}, "a", facts) == "unknown"
		}
		all := {"/a": {"host": "a", "domain": "a", "path": "a"}}
		_verdict_with(test, "a", all) == "holds"
		every value in [null, 7, ["a"], {"a": "a"}, false] { _verdict_with(test, value, all) == "unknown" }
		_verdict(test, "a") == "unknown"
	}
}

_holds(condition) if _holds_for(condition, _arguments)

_fails(condition) if _fails_for(condition, _arguments)

_holds_for(condition, value) if {
	conditions.holds(condition) with input.arguments as value
}

_fails_for(condition, value) if {
	conditions.fails(condition) with input.arguments as value
}

_verdict(test, value) := "holds" if {
	_holds_for(object.union({"path": "/a"}, test), {"a": value})
} else := "fails" if {
	_fails_for(object.union({"path": "/a"}, test), {"a": value})
} else := "unknown"

_verdict_with(test, value, facts) := verdict if {
	verdict := _verdict(test, value) with input.facts as facts
}

_opposite := {"holds": "fails", "fails": "holds", "unknown": "unknown"}

_arguments := {
	"a": 1,
	"b": {"c": "deep"},
	"list": ["first", {"x": "second"}],
	"odd/key": "slash",
	"odd~key": "tilde",
	"numbers": {"7": "seven"},
	"mixed": [{"7": "both", "8": ["a", "b"]}],
	"false": false,
	"null": null,
	"": "empty",
}
