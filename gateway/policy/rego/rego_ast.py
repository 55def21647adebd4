"""Read terms and expressions of OPA's syntax tree.

Rule 1: a term that cannot be named exactly has an empty name, which does not match anything.
"""

from collections.abc import Mapping
from typing import Any

from gateway.artifact.json_narrowing import is_array, is_object


def dotted(term: Any, imports: Mapping[str, str]) -> str:
    """Return the path of a reference with imports resolved and `[]` for variable parts; empty for other terms."""
    if not is_object(term) or term.get("type") not in {"ref", "var"}:
        return ""
    parts = term["value"] if is_array(term["value"]) else [term]
    if parts[0].get("type") != "var":
        return ""
    first = str(parts[0]["value"])
    rest = [f".{part['value']}" if part.get("type") == "string" else "[]" for part in parts[1:]]
    return imports.get(first, first) + "".join(rest)


def operator(expression: Mapping[str, Any]) -> str:
    """Return the operator or function of an expression or call, such as `equal`, `neq`, `internal.member_2`."""
    terms = expression.get("terms", expression.get("value"))
    return dotted(terms[0], {}) if is_array(terms) and terms else ""
