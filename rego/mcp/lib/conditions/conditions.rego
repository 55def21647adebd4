# METADATA
# title: Conditions
# description: |
#   A rule's conditions on the arguments, judged in three values. Rule 1: a condition holds, fails, or (argument
#   missing, of another type) neither. Rule 2: what permits needs conditions that hold; what refuses needs conditions
#   that do not fail: an argument that cannot be judged never loosens.
package mcp.lib.conditions

import data.mcp.lib.patterns

# METADATA
# description: True where the condition surely holds for the arguments of the message.
holds(condition) if _holds(condition, _argument(condition.path))

# METADATA
# description: True where the condition surely does not hold for the arguments of the message.
fails(condition) if {
	argument := _argument(condition.path)
	_judgeable(condition, argument)
	not _holds(condition, argument)
}

_holds(condition, argument) if argument == condition.equals

_holds(condition, argument) if argument in condition.in

_holds(condition, argument) if {
	is_string(argument)
	startswith(argument, condition.prefix)
}

_holds(condition, argument) if {
	is_string(argument)
	patterns.matches(condition.glob, argument)
}

_holds(condition, argument) if {
	is_string(argument)
	regex.match(condition.matches, argument)
}

_holds(condition, argument) if {
	is_number(argument)
	argument <= condition.max
}

_judgeable(condition, argument) if type_name(argument) == type_name(condition.equals)

_judgeable(condition, argument) if {
	some value in condition.in
	type_name(argument) == type_name(value)
}

_judgeable(condition, argument) if {
	is_string(argument)
	some operator in ["prefix", "glob", "matches"]
	condition[operator]
}

_judgeable(condition, argument) if {
	is_number(argument)
	is_number(condition.max)
}

# The value that a JSON pointer (RFC 6901) names; undefined where there is none. No JSON value is a set.
_argument(path) := value if {
	value := _at(_segments(path))
} else := _at([_index(segment) | some segment in _segments(path)])

_at(segments) := value if {
	is_object(input.arguments)
	value := object.get(input.arguments, segments, set())
	not is_set(value)
}

_segments(path) := [segment |
	some escaped in array.slice(split(path, "/"), 1, count(path) + 1)
	segment := replace(replace(escaped, "~1", "/"), "~0", "~")
]

_index(segment) := to_number(segment) if {
	regex.match(`^(?:0|[1-9][0-9]{0,8})$`, segment)
} else := segment
