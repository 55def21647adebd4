# METADATA
# title: Conditions
# description: |
#   A rule's conditions on the arguments, judged in three values. Rule 1: a condition holds, fails, or (argument
#   missing, of another type) neither. Rule 2: what permits needs conditions that hold; what refuses needs conditions
#   that do not fail: an argument that cannot be judged never loosens. Rule 3: the opposite of what cannot be judged
#   cannot be judged either, and neither can the elements of what is no list or has none.
package mcp.lib.conditions

import data.mcp.lib.conditions.comparisons
import data.mcp.lib.conditions.pointers

# METADATA
# description: True where the condition surely holds for the arguments of the message.
holds(condition) if {
	value := pointers.value(condition.path)
	some word, operand in condition
	_outermost(word, operand, value) == "holds"
}

holds(condition) if {
	some word in _of_absence
	operand := condition[word]
	pointers.is_free(condition.path)
	_outermost(word, operand, set()) == "holds"
}

# METADATA
# description: True where the condition surely does not hold for the arguments of the message.
fails(condition) if {
	value := pointers.value(condition.path)
	some word, operand in condition
	_outermost(word, operand, value) == "fails"
}

fails(condition) if {
	some word in _of_absence
	operand := condition[word]
	pointers.is_free(condition.path)
	_outermost(word, operand, set()) == "fails"
}

# The tests that may say something of a missing argument.
_of_absence := {"absent", "not", "none_of"}

# Rego has no recursion: tests nest four deep, and each depth has its functions.
_outermost("not", test, value) := _opposite[_by_second(test, value)]

_outermost("none_of", tests, value) := _opposite[_any({_by_second(test, value) | some test in tests})]

_outermost("any_element", test, value) := _any({_by_second(test, each) | some each in _elements(value)})

_outermost("every_element", test, value) := _every({_by_second(test, each) | some each in _elements(value)})

_outermost(word, operand, value) := _innermost(word, operand, value)

_second("not", test, value) := _opposite[_by_third(test, value)]

_second("none_of", tests, value) := _opposite[_any({_by_third(test, value) | some test in tests})]

_second("any_element", test, value) := _any({_by_third(test, each) | some each in _elements(value)})

_second("every_element", test, value) := _every({_by_third(test, each) | some each in _elements(value)})

_second(word, operand, value) := _innermost(word, operand, value)

_third("not", test, value) := _opposite[_by_innermost(test, value)]

_third("none_of", tests, value) := _opposite[_any({_by_innermost(test, value) | some test in tests})]

_third("any_element", test, value) := _any({_by_innermost(test, each) | some each in _elements(value)})

_third("every_element", test, value) := _every({_by_innermost(test, each) | some each in _elements(value)})

_third(word, operand, value) := _innermost(word, operand, value)

_by_second(test, value) := verdict if {
	some word, operand in test
	verdict := _second(word, operand, value)
} else := "unknown"

_by_third(test, value) := verdict if {
	some word, operand in test
	verdict := _third(word, operand, value)
} else := "unknown"

_by_innermost(test, value) := verdict if {
	some word, operand in test
	verdict := _innermost(word, operand, value)
} else := "unknown"

_innermost(word, operand, value) := "holds" if {
	comparisons.holds(word, operand, value)
} else := "fails" if comparisons.judges(word, operand, value)

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

_elements(value) := value if {
	is_array(value)
} else := []
