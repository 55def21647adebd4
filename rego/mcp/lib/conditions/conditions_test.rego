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
	_holds({"path": "/a", "max": 1})
	_fails({"path": "/a", "max": 0.5})
}

_holds(condition) if _holds_for(condition, _arguments)

_fails(condition) if _fails_for(condition, _arguments)

_holds_for(condition, value) if {
	conditions.holds(condition) with input.arguments as value
}

_fails_for(condition, value) if {
	conditions.fails(condition) with input.arguments as value
}

_arguments := {
	"a": 1,
	"b": {"c": "deep"},
	"list": ["first", {"x": "second"}],
	"odd/key": "slash",
	"odd~key": "tilde",
	"numbers": {"7": "seven"},
	"false": false,
	"null": null,
	"": "empty",
}
