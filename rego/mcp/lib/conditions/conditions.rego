# METADATA
# title: Conditions
# description: |
#   The conditions of a rule on the arguments, judged in three values. Rule 1: a condition holds, fails, or is unknown
#   (the argument is missing or of another type). Rule 2: a permission needs conditions that hold, and a refusal needs
#   conditions that do not fail, so an argument that cannot be judged never loosens a decision. Rule 3: the opposite of
#   unknown is unknown. A test of elements is unknown if the value is not a list or is empty.
package mcp.lib.conditions

import data.mcp.lib.conditions.comparisons
import data.mcp.lib.conditions.pointers

# METADATA
# description: True if the condition surely holds for the arguments of the message.
holds(condition) if {
	value := pointers.value(condition.path)
	some word, operand in condition
	_outermost(word, operand, value, condition.path) == "holds"
}

holds(condition) if {
	some word in _of_absence
	operand := condition[word]
	pointers.is_free(condition.path)
	_outermost(word, operand, set(), condition.path) == "holds"
}

# METADATA
# description: True if the condition surely does not hold for the arguments of the message.
fails(condition) if {
	value := pointers.value(condition.path)
	some word, operand in condition
	_outermost(word, operand, value, condition.path) == "fails"
}

fails(condition) if {
	some word in _of_absence
	operand := condition[word]
	pointers.is_free(condition.path)
	_outermost(word, operand, set(), condition.path) == "fails"
}

# The tests that can judge a missing argument.
_of_absence := {"absent", "not", "none_of"}

# Rego has no recursion. Tests nest four deep, and each depth has its own functions.
_outermost("not", test, value, at) := _opposite[_by_second(test, value, at)]

_outermost("none_of", tests, value, at) := _opposite[_any({_by_second(test, value, at) | some test in tests})]

_outermost("any_element", test, value, at) := _any({verdict |
	some below, each in _elements(value, at)
	verdict := _by_second(test, each, below)
})

_outermost("every_element", test, value, at) := _every({verdict |
	some below, each in _elements(value, at)
	verdict := _by_second(test, each, below)
})

_outermost(word, operand, value, at) := _innermost(word, operand, value, at)

_second("not", test, value, at) := _opposite[_by_third(test, value, at)]

_second("none_of", tests, value, at) := _opposite[_any({_by_third(test, value, at) | some test in tests})]

_second("any_element", test, value, at) := _any({verdict |
	some below, each in _elements(value, at)
	verdict := _by_third(test, each, below)
})

_second("every_element", test, value, at) := _every({verdict |
	some below, each in _elements(value, at)
	verdict := _by_third(test, each, below)
})

_second(word, operand, value, at) := _innermost(word, operand, value, at)

_third("not", test, value, at) := _opposite[_by_innermost(test, value, at)]

_third("none_of", tests, value, at) := _opposite[_any({_by_innermost(test, value, at) | some test in tests})]

_third("any_element", test, value, at) := _any({verdict |
	some below, each in _elements(value, at)
	verdict := _by_innermost(test, each, below)
})

_third("every_element", test, value, at) := _every({verdict |
	some below, each in _elements(value, at)
	verdict := _by_innermost(test, each, below)
})

_third(word, operand, value, at) := _innermost(word, operand, value, at)

_by_second(test, value, at) := verdict if {
	some word, operand in test
	verdict := _second(word, operand, value, at)
} else := "unknown"

_by_third(test, value, at) := verdict if {
	some word, operand in test
	verdict := _third(word, operand, value, at)
} else := "unknown"

_by_innermost(test, value, at) := verdict if {
	some word, operand in test
	verdict := _innermost(word, operand, value, at)
} else := "unknown"

_innermost(word, operand, value, at) := "holds" if {
	comparisons.holds(word, operand, value, at)
} else := "fails" if comparisons.judges(word, operand, value, at)

_opposite := {"holds": "fails", "fails": "holds", "unknown": "unknown"}

_any(verdicts) := "holds" if {
	"holds" in verdicts
} else := "fails" if {
	verdicts == {"fails"}
} else := "unknown"

_every(verdicts) := "fails" if {
	"fails" in verdicts
} else := "holds" if {
	verdicts == {"holds"}
} else := "unknown"

# The elements of a list, each with its own pointer.
_elements(value, at) := {concat("/", [at, format_int(index, 10)]): each | some index, each in value} if {
	is_array(value)
} else := {}
