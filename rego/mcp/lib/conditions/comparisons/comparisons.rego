# METADATA
# title: Comparisons
# description: |
#   The tests that judge one value, by their keyword. Rule 1: a test `holds` for a value, or it `judges` the value and
#   does not hold, or it cannot judge the value. Rule 2: only `absent` can judge a missing argument; null is a value.
#   Rule 3: a missing argument has the empty set as its value, because no JSON value is a set.
package mcp.lib.conditions.comparisons

import data.mcp.lib.patterns

holds("equals", wanted, value, _) if value == wanted

holds("in", wanted, value, _) if value in wanted

holds("prefix", wanted, value, _) if {
	is_string(value)
	startswith(value, wanted)
}

holds("glob", wanted, value, _) if {
	is_string(value)
	patterns.matches(wanted, value)
}

holds("matches", wanted, value, _) if {
	is_string(value)
	regex.match(wanted, value)
}

holds("at_most", limit, value, _) if {
	_are_numbers(limit, value)
	value <= limit
}

holds("at_least", limit, value, _) if {
	_are_numbers(limit, value)
	value >= limit
}

holds("above", limit, value, _) if {
	_are_numbers(limit, value)
	value > limit
}

holds("below", limit, value, _) if {
	_are_numbers(limit, value)
	value < limit
}

holds("length", wanted, value, _) if {
	some word, limit in wanted
	_fits_length(word, limit, _length(value))
}

holds("absent", true, value, _) if is_set(value)

holds("host", names, value, at) if _fits_name(names, _fact("host", value, at))

holds("domain", names, value, at) if _fits_name(names, _fact("domain", value, at))

holds("within", roots, value, at) if {
	path := _fact("path", value, at)
	some root in roots
	_lies_within(root, path)
}

holds("sql", wanted, value, at) if {
	kinds := _kinds(wanted.dialect, value, at)
	count(kinds) > 0
	every kind in kinds { kind in wanted.only }
}

# METADATA
# description: True if a test can judge a value.
judges("equals", wanted, value, _) if type_name(value) == type_name(wanted)

judges("in", wanted, value, _) if {
	some each in wanted
	type_name(value) == type_name(each)
}

judges("prefix", _, value, _) if is_string(value)

judges("glob", _, value, _) if is_string(value)

judges("matches", _, value, _) if is_string(value)

judges("at_most", limit, value, _) if _are_numbers(limit, value)

judges("at_least", limit, value, _) if _are_numbers(limit, value)

judges("above", limit, value, _) if _are_numbers(limit, value)

judges("below", limit, value, _) if _are_numbers(limit, value)

judges("length", _, value, _) if _length(value)

judges("absent", true, _, _)

judges("host", _, value, at) if _fact("host", value, at)

judges("domain", _, value, at) if _fact("domain", value, at)

judges("within", roots, value, at) if {
	path := _fact("path", value, at)
	some root in roots
	_is_absolute(root) == _is_absolute(path)
}

judges("sql", wanted, value, at) if _kinds(wanted.dialect, value, at)

_are_numbers(limit, value) if {
	is_number(value)
	is_number(limit)
}

# The number of characters of a text, or of elements of a list.
_length(value) := count(value) if is_string(value)

_length(value) := count(value) if is_array(value)

_fits_length("equals", limit, length) if length == limit

_fits_length("at_most", limit, length) if length <= limit

_fits_length("at_least", limit, length) if length >= limit

_fits_length("above", limit, length) if length > limit

_fits_length("below", limit, length) if length < limit

# The fact that the gateway computed about the text at a pointer. Undefined if there is none, or if it was not
# requested.
_fact(name, value, at) := fact if {
	is_string(value)
	fact := input.facts[at][name]
	is_string(fact)
}

_fits_name(names, name) if name in names

# `*.example.com` matches every name below example.com.
_fits_name(names, name) if {
	some pattern in names
	startswith(pattern, "*.")
	end := substring(pattern, 1, -1)
	endswith(name, end)
	name != end
}

_lies_within(root, path) if path == root

_lies_within("/", path) if _is_absolute(path)

# Relative paths in normal form stay below the directory where they start.
_lies_within(".", path) if not _is_absolute(path)

_lies_within(root, path) if startswith(path, concat("", [root, "/"]))

_is_absolute(path) := startswith(path, "/")

# The kinds of the SQL statements in the text at a pointer, read in a dialect. A text always has at least one.
_kinds(dialect, value, at) := kinds if {
	is_string(value)
	kinds := input.facts[at][dialect]
	is_array(kinds)
	count(kinds) > 0
}
