"""What a server gets in place of a client's answer that is refused: an error, so that it does not wait for ever.

Rule 1: the error says nothing of the answer, nor why it was refused: reasons may repeat what must not get there.
Rule 2: it is a message like any other, asked about, recorded, and sent on a permit of its own.
"""

from typing import Any, Final

from msgspec.structs import replace

from gateway.admission.inbound import Inbound
from gateway.pipeline.sealed_ids import restored
from gateway.protocol.errors import failure_of
from gateway.protocol.message import Response

_CODE: Final = "policy_denied"
_ERROR: Final[dict[str, Any]] = {
    "code": failure_of(_CODE).code,
    "message": "The client answered, but policy does not let the answer through. Do not ask for the same again.",
    "data": {"reason": _CODE},
}


def withheld(inbound: Inbound) -> Inbound | None:
    """Return the error that takes the place of a client's answer; null for a message that answers nothing."""
    if inbound.answers is None or not isinstance(inbound.message, Response):
        return None
    empty = Response(id=None, raw=b"", error=_ERROR)
    return replace(inbound, message=restored(empty, inbound.answers.upstream_id))
