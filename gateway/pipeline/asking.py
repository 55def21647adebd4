"""The question of a client's message, completed by what its target presents.

Rule 1: arguments that some server may read as others are no question at all: the message is malformed.
Rule 2: headers that mirror arguments must agree with them (PROTOCOL section 1.1).
"""

from typing import Any, Final

from msgspec.structs import replace

from gateway.admission import question as questions
from gateway.admission.exchange import Inbound
from gateway.admission.policy_input import Gateway, PolicyInput
from gateway.pipeline.presentation import Sight
from gateway.protocol.headers import agree_parameters
from gateway.protocol.malformed import Malformed

_INVALID_REQUEST: Final = -32600
_INVALID_PARAMS: Final = -32602


def state(inbound: Inbound, sight: Sight, unix_ns: int, *, limit: int, gateway: Gateway) -> PolicyInput | Malformed:
    """Return the question that `inbound` is, or what is wrong with it; `limit`: bytes of the arguments' JSON."""
    question = plain(inbound, unix_ns=unix_ns, gateway=gateway)
    arguments = questions.arguments_of(inbound)
    presented = sight.presented
    meta = questions.measured(arguments, "none")
    if meta.bytes > limit:
        reason = f"the arguments have {meta.bytes} bytes, more than {limit}"
        return Malformed(fault="too_large", code=_INVALID_PARAMS, reason=reason, id=inbound.request_id)
    if presented is None:
        return replace(question, arguments=arguments, arguments_meta=meta)
    malformed = _ambiguous(inbound, sight, arguments)
    if malformed is not None:
        return malformed
    if inbound.method.name == "tools/call":
        meta = questions.judged(meta, presented.findings(arguments, meta.bytes))
    return replace(question, definition=presented.definition, arguments=arguments, arguments_meta=meta)


def plain(inbound: Inbound, *, unix_ns: int, gateway: Gateway) -> PolicyInput:
    """Return the question without definition and arguments."""
    phase = "stream" if inbound.method.asked == "stream" else "request"
    return questions.ask(inbound, phase=phase, unix_ns=unix_ns, gateway=gateway)


def _ambiguous(inbound: Inbound, sight: Sight, arguments: dict[str, Any]) -> Malformed | None:
    presented = sight.presented
    if presented is None or inbound.method.name != "tools/call":
        return None
    key = presented.folded_key(arguments)
    if key is not None:
        reason = f"arguments have a key that some servers read as another one: {key[:64]!a}"
        return Malformed(fault="ambiguous_key", code=_INVALID_REQUEST, reason=reason, id=inbound.request_id)
    if inbound.era != "modern":
        return None
    return agree_parameters(inbound.names, arguments, presented.parameters)
