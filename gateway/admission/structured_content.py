"""The check of a tool result's structured content against the output schema that the server presents.

Rule 1: a tool without an output schema promises nothing, and neither does a result that is an error.
Rule 2: content that cannot be checked does not fit; keywords that cannot be used are left out, as in input schemas.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.admission.argument_schema_check import Checker
from gateway.admission.schema_check_findings import value_findings
from gateway.admission.schema_mismatches import Words

KEY: Final = "structuredContent"
_WORDS: Final = Words(
    whole="the structured content", member="structured content", schema="the output schema of the tool"
)


def content_fault(checker: Checker | None, result: Mapping[str, Any], size: int) -> str:
    """Return the reason why a result does not fit; empty if it does. `size` is about the bytes of its JSON."""
    if checker is None or result.get("isError") is True:
        return ""
    if KEY not in result:
        return f"the result has no {KEY}, which the output schema of the tool promises"
    found = value_findings(checker, result[KEY], size, _WORDS)
    if found.schema == "match":
        return ""
    if found.schema != "mismatch":
        return "the structured content cannot be checked against the output schema of the tool"
    described = "; ".join(error.message for error in found.errors)
    return described or "the structured content does not fit the output schema of the tool"
