"""The keywords of JSON Schema: the drafts that have them, and the values that they can have.

Rule 1: a schema without `$schema`, or with an unknown one, is read as draft 2020-12.
Rule 2: a keyword that a draft does not have is an annotation, and so is every keyword that is not listed here.
Rule 3: a complaint is the end of a sentence that begins with the place of the keyword.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

LATEST: Final = 2020
EARLIEST: Final = 4
REFERENCES_STAND_ALONE: Final = 7
"""The last draft in which the keywords next to a `$ref` are ignored."""
_LONGEST_PATTERN: Final = 10_000
_DEEPEST_VALUE: Final = 50

_DRAFTS: Final[Mapping[str, int]] = {
    "json-schema.org/draft-04/schema": 4,
    "json-schema.org/draft-06/schema": 6,
    "json-schema.org/draft-07/schema": 7,
    "json-schema.org/draft/2019-09/schema": 2019,
    "json-schema.org/draft/2020-12/schema": 2020,
    "json-schema.org/schema": 2020,
}

ONE: Final = frozenset(
    {
        *("not", "if", "then", "else", "items", "contains", "propertyNames"),
        *("additionalProperties", "unevaluatedProperties", "unevaluatedItems"),
    }
)
"""Keywords whose value is a subschema."""
LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
"""Keywords whose value is a list of subschemas."""
MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas", "dependencies"})
"""Keywords whose value is an object of subschemas; `dependencies` may hold lists of names as well."""
REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")

ANTITONE: Final = frozenset({"not", "if", "oneOf", "contains", "dependentSchemas", "dependencies"})
"""Keywords that may accept less if one of their subschemas accepts more."""
IN_PLACE: Final = frozenset(
    {"allOf", "anyOf", "oneOf", "if", "then", "else", "dependentSchemas", "dependencies", *REFERENCES}
)
"""Keywords whose subschemas judge the same value, so that `unevaluated*` sees what they evaluate."""
EVALUATING: Final = IN_PLACE | {
    *("properties", "patternProperties", "additionalProperties", "unevaluatedProperties"),
    *("prefixItems", "items", "unevaluatedItems", "contains"),
}
"""Keywords that can mark a member or an element as evaluated."""

_SINCE: Final[Mapping[str, int]] = {
    **dict.fromkeys(("const", "contains", "propertyNames"), 6),
    **dict.fromkeys(("if", "then", "else"), 7),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "minContains", "maxContains", "$recursiveRef"), 2019),
    **dict.fromkeys(("unevaluatedProperties", "unevaluatedItems"), 2019),
    **dict.fromkeys(("prefixItems", "$dynamicRef"), 2020),
}
_TYPES: Final = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_INSIDE_CLASS: Final = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]", re.DOTALL)
_POSSESSIVE: Final = re.compile(r"[*+?}]\+")


def draft_of(root: Any) -> tuple[int, str]:
    """Return the draft of a document, and a complaint if it names an unknown one."""
    named = cast("dict[str, Any]", root).get("$schema") if type(root) is dict else None
    if named is None:
        return LATEST, ""
    text = named.strip().removesuffix("#").rstrip("/") if type(named) is str else ""
    draft = _DRAFTS.get(text.partition("://")[2])
    return (draft, "") if draft else (LATEST, "names an unknown draft: the schema is read as draft 2020-12")


def has(draft: int, keyword: str) -> bool:
    """Return whether a draft has a keyword."""
    return _SINCE.get(keyword, EARLIEST) <= draft and not (keyword == "$recursiveRef" and draft == LATEST)


def complaint(keyword: str, value: Any, draft: int) -> str:
    """Return the reason why a keyword cannot have a value; empty if it can, or if the keyword is not an assertion."""
    if draft == EARLIEST and keyword.startswith("exclusive"):
        return "" if type(value) is bool else "must be true or false in draft 4"
    check = _CHECKS.get(keyword)
    return check(value) if check else ""


def is_assertion(keyword: str) -> bool:
    """Return whether a keyword judges by its value alone."""
    return keyword in _CHECKS


def pattern_complaint(value: Any, is_pattern: Callable[[str], bool]) -> str:
    """Return the reason why a text cannot be used as a pattern; empty if it can."""
    if type(value) is not str:
        return "is not a text"
    if len(value) > _LONGEST_PATTERN:
        return f"is a pattern of more than {_LONGEST_PATTERN} characters"
    if _POSSESSIVE.search(_INSIDE_CLASS.sub("x", value)):
        return "is a pattern with a possessive quantifier, which JSON Schema does not have"
    if not is_pattern(value):
        return "is a pattern that is not valid, too large, or needs a look-around or a backreference"
    return ""


def _type(value: Any) -> str:
    names = cast("list[Any]", value) if type(value) is list else [value]
    texts = [name for name in names if type(name) is str]
    unknown = [name for name in texts if name not in _TYPES]
    if unknown:
        return f"names `{unknown[0][:40]}`, which is not a type of JSON Schema"
    return "" if names and len(set(texts)) == len(names) else "must be a type, or a list of different types"


def _enum(value: Any) -> str:
    if type(value) is not list or not value:
        return "must be a list of at least one value"
    return _const(cast("Any", value))


def _const(value: Any) -> str:
    return "is nested too deep to be compared" if _nests_too_deep(value) else ""


def _nests_too_deep(value: Any) -> bool:
    here: list[Any] = [value]
    for _ in range(_DEEPEST_VALUE):
        here = [inner for outer in here for inner in _inside(outer)]
        if not here:
            return False
    return True


def _inside(value: Any) -> list[Any]:
    if type(value) is dict:
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if type(value) is list else []


def _number(value: Any) -> str:
    known = type(value) is int or (type(value) is float and math.isfinite(value))
    return "" if known else "must be a number"


def _positive(value: Any) -> str:
    return "" if not _number(value) and value > 0 else "must be a number above 0"


def _count(value: Any) -> str:
    whole = type(value) is int or (type(value) is float and value.is_integer())
    return "" if whole and value >= 0 else "must be a whole number of at least 0"


def _flag(value: Any) -> str:
    return "" if type(value) is bool else "must be true or false"


def _text(value: Any) -> str:
    return "" if type(value) is str else "is not a text"


def names_complaint(value: Any) -> str:
    """Return the reason why a value is not a list of different names; empty if it is one."""
    names = cast("list[Any]", value) if type(value) is list else [None]
    texts = {name for name in names if type(name) is str}
    return "" if len(texts) == len(names) else "must be a list of names, each once"


def _name_lists(value: Any) -> str:
    lists = list(cast("dict[str, Any]", value).values()) if type(value) is dict else [None]
    return next((found for names in lists if (found := names_complaint(names))), "")


_CHECKS: Final[Mapping[str, Callable[[Any], str]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "multipleOf": _positive,
    **dict.fromkeys(("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"), _number),
    **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties"), _count),
    **dict.fromkeys(("minContains", "maxContains"), _count),
    "uniqueItems": _flag,
    "required": names_complaint,
    "dependentRequired": _name_lists,
    "format": _text,
}
