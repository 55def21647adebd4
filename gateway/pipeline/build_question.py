"""The question that a client's message puts to policy, completed with the definition of its target.

Rule 1: arguments that servers may read in different ways make the message malformed. They are not put to policy.
Rule 2: headers that mirror arguments must agree with them (PROTOCOL section 1.1). A call with such headers needs the
definition, because the definition names the mirrored arguments.
"""

from typing import Any, Final

from msgspec import UNSET, Struct
from msgspec.structs import replace

from gateway.admission import question as questions
from gateway.admission.argument_schema_check import Checker, folded_key, measured
from gateway.admission.digests import canonizing
from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import Gateway, PolicyInput
from gateway.admission.record_masking import digest as keyed_digest
from gateway.pipeline.seen_definition import SeenDefinition
from gateway.protocol.headers import agree_parameters
from gateway.protocol.malformed import Fault, Malformed
from gateway.protocol.stepwise import Steps

_INVALID_REQUEST: Final = -32600
_INVALID_PARAMS: Final = -32602


class Stated(Struct, frozen=True):
    """A question, and the keyed digest of its arguments for the record."""

    question: PolicyInput
    keyed: str


class QuestionBounds(Struct, frozen=True, kw_only=True):
    """The gateway that asks, and the limits of a question. `arguments`: maximum bytes of the arguments' JSON."""

    gateway: Gateway
    arguments: int
    key: bytes
    """Key of the digests in records."""


def stating(inbound: Inbound, sight: SeenDefinition, unix_ns: int, bounds: QuestionBounds) -> Steps[Stated | Malformed]:
    """Build the question for `inbound` in steps. Return it, or the fault of the message."""
    question = plain(inbound, unix_ns=unix_ns, gateway=bounds.gateway)
    arguments = questions.arguments_of(inbound)
    presented = sight.presented
    text = yield from canonizing(arguments)
    if len(text) > bounds.arguments:
        reason = f"the arguments have {len(text)} bytes, more than {bounds.arguments} (`limits.arguments_bytes`)"
        return _malformed("too_large", _INVALID_PARAMS, reason, inbound)
    yield
    keyed = keyed_digest(bounds.key, text) if arguments else ""
    meta = measured(text, arguments, "none")
    yield
    malformed = _ambiguous(inbound, sight, arguments)
    if malformed is not None:
        return malformed
    if presented is None:
        status = UNSET if _mirrors(inbound) else sight.status
        return Stated(replace(question, arguments=arguments, arguments_meta=meta, definition_status=status), keyed)
    yield
    if inbound.method.name == "tools/call":
        meta = questions.judged(meta, presented.findings(arguments, meta.bytes))
    stated = replace(
        question,
        definition=presented.definition,
        definition_status=sight.status,
        arguments=arguments,
        arguments_meta=meta,
    )
    return Stated(stated, keyed)


def plain(inbound: Inbound, *, unix_ns: int, gateway: Gateway) -> PolicyInput:
    """Return the question without definition and arguments."""
    phase = "stream" if inbound.method.asked == "stream" else "request"
    return questions.ask(inbound, phase=phase, unix_ns=unix_ns, gateway=gateway)


def _ambiguous(inbound: Inbound, sight: SeenDefinition, arguments: dict[str, Any]) -> Malformed | None:
    presented = sight.presented
    if inbound.method.name != "tools/call":
        return None
    key = presented.folded_key(arguments) if presented else folded_key(Checker(), arguments)
    if key is not None:
        reason = f"the arguments have a key that some servers read as another one: {key[:64]!a}"
        return _malformed("ambiguous_key", _INVALID_REQUEST, reason, inbound)
    if inbound.era != "modern" or presented is None:
        return None
    return agree_parameters(inbound.names, arguments, presented.parameters)


def _mirrors(inbound: Inbound) -> bool:
    """Return whether a call repeats arguments in headers, which proxies in front of the server may act on."""
    return any(name.startswith("mcp-param-") for name, _ in inbound.headers)


def _malformed(fault: Fault, code: int, reason: str, inbound: Inbound) -> Malformed:
    return Malformed(fault=fault, code=code, reason=reason, id=inbound.request_id, method=inbound.method.name)
