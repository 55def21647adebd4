"""The error that a server gets in place of a client's refused answer, so that the server does not wait forever.

Rule 1: the error reveals neither the answer nor the reasons for its refusal, because reasons may repeat its content.
Rule 2: the error is a message like any other: policy is asked about it, and it is recorded and sent on its own permit.
"""

from typing import Any, Final

from msgspec.structs import replace

from gateway.admission.inbound_message import Inbound
from gateway.pipeline.sealed_ids import restored
from gateway.protocol.errors import failure_of
from gateway.protocol.message import Response

_CODE: Final = "policy_denied"
_ERROR: Final[dict[str, Any]] = {
    "code": failure_of(_CODE).code,
    "message": "The client answered, but policy denies this answer. Do not repeat the request.",
    "data": {"reason": _CODE},
}


def withheld(inbound: Inbound) -> Inbound | None:
    """Return the error that replaces a client's answer, or null for a message that is not an answer."""
    if inbound.answers is None or not isinstance(inbound.message, Response):
        return None
    empty = Response(id=None, raw=b"", error=_ERROR)
    return replace(inbound, message=restored(empty, inbound.answers.upstream_id))
