"""The check of a tool's result against its output schema, for servers whose catalog entry says `check_output: true`.

Rule 1: a result whose tool is not known here (of a task, or on a stream that was resumed) is not delivered with
structured content: what cannot be checked does not fit.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.admission.decision import Verdict
from gateway.admission.structured_content import KEY
from gateway.pipeline.call import Call
from gateway.protocol.values import as_object

_CALL: Final = "tools/call"
_UNKNOWN: Final = "its structured content cannot be checked, because the tool's output schema is not known here"


def output_fault(call: Call, result: Mapping[str, Any], size: int) -> str:
    """Return why the result of a call may not be delivered; empty if it may. `size` is the bytes of its message."""
    if not _is_wanted(call):
        return ""
    called = call.inbound.method.name == _CALL and call.inbound.resumes is None
    if called and "task" in result:
        return _UNKNOWN if KEY in result else ""
    if called and call.presented is not None:
        return call.presented.output_fault(result, size)
    inner = as_object(result.get("result")) or {}
    return _UNKNOWN if KEY in result or KEY in inner else ""


def _is_wanted(call: Call) -> bool:
    route = call.answer.decision.route if isinstance(call.answer, Verdict) else None
    return route is not None and route.check_output
