"""The check of a tool's result against its output schema, for servers with `check_output: true` in the catalog.

Rule 1: if the tool of a result is not known here (a task's result, or a resumed stream), structured content is not
delivered, because it cannot be checked. This applies even if no client reads the content.
Rule 2: every client must read the content that was checked. A key that some reader takes for a checked one does not
fit.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.admission.decision import Verdict
from gateway.admission.structured_content import KEY
from gateway.pipeline.call import Call
from gateway.protocol.json_values import as_object
from gateway.protocol.key_folding import fold

_CALL: Final = "tools/call"
_CHECKED: Final = {fold(key): key for key in (KEY, "isError")}
_RESEMBLES: Final = "it has a key that some readers take for its structured content"
_UNKNOWN: Final = "its structured content cannot be checked, because the tool's output schema is not known here"


def output_fault(call: Call, result: Mapping[str, Any], size: int) -> str:
    """Return why a checked result may not be delivered, or the empty text. `size` is the bytes of its message."""
    inner = as_object(result.get("result")) or {}
    if any(_CHECKED.get(fold(key), key) != key for key in (*result, *inner)):
        return _RESEMBLES
    called = call.inbound.method.name == _CALL and call.inbound.resumes is None
    if called and "task" in result:
        return _UNKNOWN if KEY in result else ""
    if called and call.presented is not None:
        return call.presented.output_fault(result, size)
    return _UNKNOWN if KEY in result or KEY in inner else ""


def is_checked(call: Call) -> bool:
    """Return whether the catalog requires a check of this server's results."""
    route = call.answer.decision.route if isinstance(call.answer, Verdict) else None
    return route is not None and route.check_output
