# METADATA
# title: Pointers
# description: |
#   JSON pointers (RFC 6901) into the arguments of the message. Rule 1: if the arguments are not an object, no pointer
#   has a value, and no pointer is free.
package mcp.lib.conditions.pointers

# METADATA
# description: The value at a pointer. Undefined if there is none.
value(path) := found if {
	found := _at(_segments(path))
} else := found if {
	found := _at([_index(segment) | some segment in _segments(path)])
} else := found if {
	# If a pointer has several numbers, one may be the index of a list and another the key of an object.
	regex.match(`/[0-9]+/(?:.*/)?[0-9]+(?:/|$)`, path)
	segments := _segments(path)
	indexes := [place | some place, segment in segments; is_number(_index(segment))]
	count(indexes) in {2, 3, 4, 5}
	some choice in numbers.range(1, bits.lsh(1, count(indexes)) - 2)
	found := _at([_chosen(segment, place, indexes, choice) | some place, segment in segments])
}

# METADATA
# description: |
#   True if there is surely nothing at a pointer: the nearest existing value above it is an object without that key, or
#   a list without that index.
is_free(path) if {
	not _is_taken(path)
	parts := split(path, "/")
	above := {depth: found |
		some depth in numbers.range(1, count(parts) - 1)
		found := value(concat("/", array.slice(parts, 0, depth)))
	}
	nearest := max(object.keys(above))
	_lacks(above[nearest], parts[nearest])
}

# A number of the pointer is an index if its bit of the choice is set, else a key.
_chosen(segment, place, indexes, choice) := _index(segment) if {
	some rank, chosen in indexes
	chosen == place
	bits.and(choice, bits.lsh(1, rank)) != 0
} else := segment

_is_taken(path) if _ := value(path)

_lacks(container, _) if is_object(container)

_lacks(container, segment) if {
	is_array(container)
	is_number(_index(segment))
}

_arguments := input.arguments if is_object(input.arguments)

# No JSON value is a set.
_at(segments) := found if {
	found := object.get(_arguments, segments, set())
	not is_set(found)
}

_segments(path) := [segment |
	some escaped in array.slice(split(path, "/"), 1, count(path) + 1)
	segment := replace(replace(escaped, "~1", "/"), "~0", "~")
]

_index(segment) := to_number(segment) if {
	regex.match(`^(?:0|[1-9][0-9]{0,8})$`, segment)
} else := segment
