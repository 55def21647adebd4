# METADATA
# title: Comparisons
# description: |
#   The tests that judge one value, by their word. Rule 1: a test `holds` for a value, or it `judges` the value and does
#   not hold, or the value is none that it can judge. Rule 2: of a missing argument only `absent` says anything; null is
#   a value. Rule 3: the place of an argument that is missing has the empty set as its value, which no JSON value is.
package mcp.lib.conditions.comparisons

import data.mcp.lib.patterns

holds("equals", wanted, value) if value == wanted

holds("in", wanted, value) if value in wanted

holds("prefix", wanted, value) if {
	is_string(value)
	startswith(value, wanted)
}

holds("glob", wanted, value) if {
	is_string(value)
	patterns.matches(wanted, value)
}

holds("matches", wanted, value) if {
	is_string(value)
	regex.match(wanted, value)
}

holds("at_most", limit, value) if {
	_are_numbers(limit, value)
	value <= limit
}

holds("at_least", limit, value) if {
	_are_numbers(limit, value)
	value >= limit
}

holds("above", limit, value) if {
	_are_numbers(limit, value)
	value > limit
}

holds("below", limit, value) if {
	_are_numbers(limit, value)
	value < limit
}

holds("length", wanted, value) if {
	some word, limit in wanted
	_fits_length(word, limit, _length(value))
}

holds("absent", true, value) if is_set(value)

# METADATA
# description: True where a test can say of a value whether it holds.
judges("equals", wanted, value) if type_name(value) == type_name(wanted)

judges("in", wanted, value) if {
	some each in wanted
	type_name(value) == type_name(each)
}

judges("prefix", _, value) if is_string(value)

judges("glob", _, value) if is_string(value)

judges("matches", _, value) if is_string(value)

judges("at_most", limit, value) if _are_numbers(limit, value)

judges("at_least", limit, value) if _are_numbers(limit, value)

judges("above", limit, value) if _are_numbers(limit, value)

judges("below", limit, value) if _are_numbers(limit, value)

judges("length", _, value) if _length(value)

judges("absent", true, _)

_are_numbers(limit, value) if {
	is_number(value)
	is_number(limit)
}

# Characters of a text, elements of a list.
_length(value) := count(value) if is_string(value)

_length(value) := count(value) if is_array(value)

_fits_length("equals", limit, length) if length == limit

_fits_length("at_most", limit, length) if length <= limit

_fits_length("at_least", limit, length) if length >= limit

_fits_length("above", limit, length) if length > limit

_fits_length("below", limit, length) if length < limit
