"""One JSON-RPC message, read once into a frozen value that keeps its bytes.

Rule 1: the message that was read is the one that is forwarded: a message that two readers could read differently is
refused (PROTOCOL section 7).
Rule 2: this module knows no methods; an id decides between request and notification, the table of methods the rest.
Rule 3: `read` is for clients and strict; `read_reply` is for servers, and refuses only an ambiguous envelope.
Rule 4: a server's envelope that every reader reads alike but clients may reject is rewritten: a byte order mark, an id
such as `1.0`, and null members of the envelope are removed or normalized. The values keep their bytes.
"""

from typing import Any, Final, cast

import orjson
from msgspec import Struct
from msgspec.structs import replace

from gateway.protocol.errors import BATCH_REFUSED, INTERNAL_ERROR, INVALID_PARAMS, INVALID_REQUEST
from gateway.protocol.key_folding import clashing, fold, misspelt, misspelt_answer
from gateway.protocol.malformed import Fault, Malformed
from gateway.protocol.members import distinct, rewritten
from gateway.protocol.request_envelope import (
    ID_CHARS,
    METHOD_CHARS,
    SEALED_ID_CHARS,
    is_id,
    request_envelope,
    response_id,
)
from gateway.protocol.stepwise import Steps
from gateway.protocol.strict_json import DEFAULT, JsonLimits, crowded, parse, parsing

_CALL: Final = frozenset({"jsonrpc", "id", "method", "params"})
_RESULT: Final = frozenset({"jsonrpc", "id", "result"})
_ERROR: Final = frozenset({"jsonrpc", "id", "error"})
_ENVELOPE: Final = _CALL | _RESULT | _ERROR
_NULLABLE: Final = frozenset({"method", "params", "result", "error"})
"""Members that some servers write as null if a message does not have them."""
_BOM: Final = b"\xef\xbb\xbf"
_REQUEST_ID_CHARS: Final = SEALED_ID_CHARS // 2
"""Most characters of the id of a server's request: it grows when sealed, and must fit into the client's answer."""
_MOST_NODES: Final = 500_000
"""Most objects and arrays in a server's message: they determine the cost of reading it, however short they are."""


class Request(Struct, frozen=True, kw_only=True):
    """A message that requires an answer; `params` is empty if the message has none."""

    id: str | int
    method: str
    params: dict[str, Any]
    raw: bytes


class Notification(Struct, frozen=True, kw_only=True):
    """A message without an id: it gets no answer, for any method."""

    method: str
    params: dict[str, Any]
    raw: bytes


class Response(Struct, frozen=True, kw_only=True):
    """An answer: exactly one of `result` and `error` is set; a server's error may lack an id."""

    id: str | int | None
    raw: bytes
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


Message = Request | Notification | Response


def read(body: bytes, limits: JsonLimits = DEFAULT) -> Message | Malformed:
    """Return the one message of a client's body, or the reason for its refusal."""
    return _message(parse(body, limits), body)


def reading(body: bytes, limits: JsonLimits = DEFAULT) -> Steps[Message | Malformed]:
    """Return the result of `read`, in steps."""
    parsed = yield from parsing(body, limits)
    yield
    return _message(parsed, body)


def _message(parsed: Any, body: bytes) -> Message | Malformed:
    if type(parsed) is Malformed:
        return _addressed_fault(parsed, body)
    if type(parsed) is not dict:
        return _not_one(parsed)
    envelope = cast("dict[str, Any]", parsed)
    id = envelope.get("id")  # noqa: A001 - JSON-RPC's word
    echo = id if is_id(id, ID_CHARS) else None
    if envelope.get("jsonrpc") != "2.0":
        return _refused("shape", 'jsonrpc must be exactly "2.0"', echo)
    if "method" in envelope:
        return _read_call(envelope, body, echo)
    return _read_response(envelope, body)


def _addressed_fault(malformed: Malformed, body: bytes) -> Malformed:
    """Return a fault with id and method of its request, or the id of its response, if only the content is faulty."""
    envelope = request_envelope(body)
    if envelope is not None:
        return replace(malformed, id=envelope.id, method=envelope.method)
    answers = response_id(body)
    return replace(malformed, answers=answers) if answers is not None else malformed


def _refused(fault: Fault, reason: str, id: str | int | None = None, code: int = INVALID_REQUEST) -> Malformed:  # noqa: A002 - JSON-RPC's word
    return Malformed(fault=fault, code=code, reason=reason, id=id)


def _not_one(parsed: Any) -> Malformed:
    if type(parsed) is list:
        return _refused(
            "batch", "batches are not accepted; send each message in a POST of its own", None, BATCH_REFUSED
        )
    return _refused("shape", "the body must be one JSON-RPC object")


def _read_call(envelope: dict[str, Any], body: bytes, echo: str | int | None) -> Message | Malformed:
    method, params = envelope["method"], envelope.get("params", _ABSENT)
    if not envelope.keys() <= _CALL:
        return _odd_key(envelope, _CALL, echo)
    if "id" in envelope and echo is None:
        return _refused("id", f"id must be a string of at most {ID_CHARS} characters or a safe integer")
    if type(method) is not str or not 0 < len(method) <= METHOD_CHARS:
        return _refused("shape", f"method must be a string of 1 to {METHOD_CHARS} characters", echo)
    if type(params) is not dict:
        reason = "params must be an object, or be left out"
        return replace(_refused("shape", reason, echo, INVALID_PARAMS), method=method)
    params = cast("dict[str, Any]", params)
    if params and (key := misspelt(params) or clashing(params)) is not None:
        reason = f"params has a key that some readers take for another one: {key[:64]!a}"
        in_meta = key.startswith("_meta.")  # names the revision, as the envelope does
        return replace(_refused("ambiguous_key", reason, echo), method="" if in_meta else method)
    if echo is None:
        return Notification(method=method, params=params, raw=body)
    return Request(id=echo, method=method, params=params, raw=body)


_ABSENT: Final[dict[str, Any]] = {}


def _odd_key(envelope: dict[str, Any], allowed: frozenset[str], echo: str | int | None) -> Malformed:
    odd = next(key for key in envelope if key not in allowed)
    if odd in _ENVELOPE:
        return _refused("shape", "a message is a request, a notification or a response, not a mixture", None)
    if fold(odd) in _ENVELOPE:
        return _refused("ambiguous_key", f"the envelope has a key that resembles a reserved one: {odd[:64]!a}", None)
    return _refused("shape", f"the envelope has a key that JSON-RPC does not know: {odd[:64]!a}", echo)


def _read_response(envelope: dict[str, Any], body: bytes) -> Response | Malformed:
    allowed = _RESULT if "result" in envelope else _ERROR
    if not envelope.keys() <= allowed:
        return _odd_key(envelope, allowed, None)
    if len(envelope) < len(allowed):
        return _refused("shape", "a message has a method, or an id with a result or an error")
    if not is_id(envelope["id"], SEALED_ID_CHARS):
        return _refused(
            "id", f"id must be a string of at most {SEALED_ID_CHARS} characters or an integer within 2^53-1"
        )
    response = _response(envelope, body)
    if response is None:
        return _refused("shape", "result must be an object, and error an object with an integer code and a message")
    if (key := misspelt_answer(response.result) or clashing(response.result or response.error)) is not None:
        reason = f"the response has a key that some readers take for another: {key[:64]!a}"
        return replace(_refused("ambiguous_key", reason), answers=str(response.id))
    return response


def _response(envelope: dict[str, Any], body: bytes) -> Response | None:
    result, error = envelope.get("result"), envelope.get("error")
    if "result" in envelope and type(result) is dict:
        return Response(id=envelope.get("id"), raw=body, result=cast("dict[str, Any]", result))
    if "error" in envelope and type(error) is dict:
        fields = cast("dict[str, Any]", error)
        if type(fields.get("code")) is int and type(fields.get("message")) is str:
            return Response(id=envelope.get("id"), raw=body, error=fields)
    return None


def unread_answer(malformed: Malformed) -> Response:
    """Return the error that the server gets instead of a client's response whose result cannot be read."""
    error = {"code": INTERNAL_ERROR, "message": "The client's answer could not be read."}
    return Response(id=malformed.answers, raw=b"", error=error)


def read_reply(body: bytes) -> Message | Malformed:
    """Return the message in a server's JSON; unknown keys pass, an ambiguous envelope does not.

    The `id` of a `Malformed` is set only if the message is an unusable response to that id. The caller bounds the size.
    The content of `result` is not judged here, and is rewritten if it is filtered.
    """
    body = body.removeprefix(_BOM)
    if crowded(body, _MOST_NODES):
        return _refused("too_complex", f"the reply has more than {_MOST_NODES} objects and arrays")
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        return _refused("not_json", f"the reply is not JSON: {error.msg} at character {error.pos}")
    if type(parsed) is not dict:
        return _refused("batch" if type(parsed) is list else "shape", "the reply is not one JSON object")
    envelope = cast("dict[str, Any]", parsed)
    if (problem := _reply_problem(body, envelope)) is not None:
        return replace(problem, id=_answered(envelope))
    plain = _plain(envelope)
    return _server_message(plain, body if plain is envelope else rewritten(body, plain, plain.get("id")))


def _server_message(envelope: dict[str, Any], body: bytes) -> Message | Malformed:
    if "method" not in envelope:
        why = "the reply has no result object and no error object with a code and a message"
        return _response(envelope, body) or _refused("shape", why, _answered(envelope))
    method, params = envelope["method"], envelope.get("params", _ABSENT)
    if type(method) is not str or len(method) > METHOD_CHARS or type(params) is not dict:
        return _refused("shape", "the server's message has no usable method, or params that are not an object")
    params = cast("dict[str, Any]", params)
    if "id" not in envelope:
        return Notification(method=method, params=params, raw=body)
    if type(envelope["id"]) is str and len(envelope["id"]) > _REQUEST_ID_CHARS:
        return _refused("id", f"the id of the server's request has more than {_REQUEST_ID_CHARS} characters")
    return Request(id=envelope["id"], method=method, params=params, raw=body)


def _reply_problem(body: bytes, envelope: dict[str, Any]) -> Malformed | None:
    if envelope.get("jsonrpc") != "2.0":
        return _refused("shape", 'the reply\'s jsonrpc is not "2.0"')
    method, result, error = envelope.get("method"), envelope.get("result"), envelope.get("error")
    if (method is not None) + (result is not None) + (error is not None) != 1:
        return _refused("shape", "the reply is not one of request, notification, result and error")
    if not _reply_id_fits(envelope):
        return _refused("id", "the reply's id is neither a string nor an integer")
    if not envelope.keys() <= _ENVELOPE and any(fold(key) in _ENVELOPE for key in envelope.keys() - _ENVELOPE):
        return _refused("ambiguous_key", "the reply has a key that some readers take for one of JSON-RPC's")
    return _twofold(body, envelope)


def _reply_id_fits(envelope: dict[str, Any]) -> bool:
    if _whole_id(envelope.get("id")) is not None:
        return True
    errs = envelope.get("error") is not None
    return envelope.get("id") is None if errs else envelope.get("method") is not None and "id" not in envelope


def _whole_id(id: Any) -> str | int | None:  # noqa: A002 - JSON-RPC's word
    """Return a server's id; a number such as `1.0` is the integer 1 to every reader."""
    if type(id) is float and id.is_integer() and is_id(int(id), SEALED_ID_CHARS):
        return int(id)
    return id if type(id) is str or type(id) is int else None


def _answered(envelope: dict[str, Any]) -> str | int | None:
    """Return the id that an unusable message answers; null if it is not a response."""
    answers = envelope.get("jsonrpc") == "2.0" and ("result" in envelope or "error" in envelope)
    return _whole_id(envelope.get("id")) if answers else None


def _plain(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return the envelope unchanged, or without null members and with an id that every client accepts."""
    if None not in envelope.values() and type(envelope.get("id")) is not float:
        return envelope
    odd = [key for key in _NULLABLE & envelope.keys() if envelope[key] is None]
    if not odd and type(envelope.get("id")) is not float:
        return envelope
    kept = {key: value for key, value in envelope.items() if key not in odd}
    return kept | {"id": _whole_id(kept["id"])} if "id" in kept else kept


def _twofold(body: bytes, envelope: dict[str, Any]) -> Malformed | None:
    """Return why the reply cannot be passed on unambiguously; the cheap check comes first."""
    try:
        if orjson.dumps(envelope) == body:
            return None
    except orjson.JSONEncodeError:
        return _refused("too_complex", "the reply nests so deep that it could not be written again")
    return (
        None if distinct(body) else _refused("duplicate_key", "the reply has a key twice, or a key with a quote in it")
    )
