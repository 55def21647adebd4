"""Describe conditions on arguments in words, as all commands show them: `/to: any element: domain not in example.com`.

Rule 1: the words are those of the YAML. A value is shown as JSON, a list of names as written.
"""

from typing import Any, Final

import orjson

from gateway.artifact.json_narrowing import Json, is_array, is_object

_NAMED: Final = frozenset({"in", "host", "domain", "within"})
"""Tests whose operand is a list, one entry of which must match."""


def condition_words(condition: Json) -> str:
    """Return a condition in words."""
    tests = [words_of_test(word, operand) for word, operand in condition.items() if word != "path"]
    return f"{condition.get('path', '')}: {' and '.join(tests)}"


def words_of_test(word: str, operand: Any) -> str:
    """Return a test in words."""
    match word:
        case "absent":
            return "absent"
        case "not":
            return _opposite(operand)
        case "none_of":
            return f"none of ({'; '.join(map(_only, operand))})" if is_array(operand) else _plain(word, operand)
        case "sql" if is_object(operand):
            return f"sql ({operand.get('dialect')}) only {', '.join(map(str, operand.get('only', ())))}"
        case "any_element" | "every_element" | "length":
            return f"{_spaced(word)}: {_only(operand)}"
        case _:
            return _plain(word, operand)


def _opposite(test: Any) -> str:
    if is_object(test) and len(test) == 1:
        ((word, operand),) = test.items()
        if word in _NAMED:
            return _plain(word, operand, no="not ")
    return f"not ({_only(test)})" if _is_long(test) else f"not {_only(test)}"


def _is_long(test: Any) -> bool:
    return is_object(test) and any(is_object(operand) or word == "none_of" for word, operand in test.items())


def _plain(word: str, operand: Any, no: str = "") -> str:
    if word in _NAMED and is_array(operand):
        start = f"{no}in" if word == "in" else f"{no}within" if word == "within" else f"{word} {no}in"
        return f"{start} {', '.join(_value(each, is_name=word != 'in') for each in operand)}"
    return f"{_spaced(word)} {_value(operand, is_name=False)}"


def _only(test: Any) -> str:
    if not is_object(test):
        return _value(test, is_name=False)
    return " and ".join(words_of_test(word, operand) for word, operand in test.items())


def _spaced(word: str) -> str:
    return word.replace("_", " ")


def _value(value: Any, *, is_name: bool) -> str:
    return value if is_name and isinstance(value, str) else orjson.dumps(value).decode()
