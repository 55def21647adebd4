"""The question of a client's message, completed by what its target presents.

Rule 1: arguments that some server may read as others are no question at all: the message is malformed.
Rule 2: headers that mirror arguments must agree with them (PROTOCOL section 1.1). A call that has such headers needs
the definition, which says what they mirror.
"""

from typing import Any, Final

from msgspec import UNSET
from msgspec.structs import replace

from gateway.admission import question as questions
from gateway.admission.arguments import Checker, folded_key
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
    malformed = _ambiguous(inbound, sight, arguments)
    if malformed is not None:
        return malformed
    if presented is None:
        status = UNSET if _mirrors(inbound) else sight.status
        return replace(question, arguments=arguments, arguments_meta=meta, definition_status=status)
    schema = presented.check_arguments(arguments) if inbound.method.name == "tools/call" else "none"
    judged = replace(meta, schema=schema)
    return replace(
        question,
        definition=presented.definition,
        definition_status=sight.status,
        arguments=arguments,
        arguments_meta=judged,
    )


def plain(inbound: Inbound, *, unix_ns: int, gateway: Gateway) -> PolicyInput:
    """Return the question without definition and arguments."""
    phase = "stream" if inbound.method.asked == "stream" else "request"
    return questions.ask(inbound, phase=phase, unix_ns=unix_ns, gateway=gateway)


def _ambiguous(inbound: Inbound, sight: Sight, arguments: dict[str, Any]) -> Malformed | None:
    presented = sight.presented
    if inbound.method.name != "tools/call":
        return None
    key = presented.folded_key(arguments) if presented else folded_key(Checker(), arguments)
    if key is not None:
        reason = f"arguments have a key that some servers read as another one: {key[:64]!a}"
        return Malformed(fault="ambiguous_key", code=_INVALID_REQUEST, reason=reason, id=inbound.request_id)
    if inbound.era != "modern" or presented is None:
        return None
    return agree_parameters(inbound.names, arguments, presented.parameters)


def _mirrors(inbound: Inbound) -> bool:
    """Return whether a call repeats arguments in headers, which servers in front of the server may act on."""
    return any(name.startswith("mcp-param-") for name, _ in inbound.headers)
