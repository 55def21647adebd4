"""What a modern server asks of a client inside of something else: a result, or news of a task.

Rule 1: every embedded request is a question of its own (PROTOCOL 1.1), whatever else the message says of itself.
Rule 2: one that cannot be read refuses the whole; so does one where nothing may ask for input.
"""

from collections.abc import Mapping
from typing import Any, Final

from gateway.admission.refusal import Refusal, own
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Engine
from gateway.protocol.methods import Method
from gateway.protocol.values import as_object, as_text

KEY: Final = "inputRequests"
BROKEN: Final = "upstream_broken"
_METHOD_CHARS: Final = 256


def asks(result: Mapping[str, Any]) -> bool:
    """Return whether a result asks the client for something, or says that it does."""
    return KEY in result or result.get("resultType") == "input_required"


def may_ask(method: Method, result: Mapping[str, Any]) -> bool:
    """Return whether a method's result may ask: those of multi-round-trip methods, and what says how a task is."""
    rounds = method.multi_round_trip
    return rounds if result.get("resultType") == "input_required" else rounds or method.target == "task"


async def refused(engine: Engine, call: Call, holder: Mapping[str, Any]) -> Refusal | None:
    """Return why one of the requests embedded in a result, or in the parameters of news, may not reach the client."""
    requests = as_object(holder.get(KEY, {}))
    if requests is None:
        return own(BROKEN, "the server's requests for input are malformed", "Tell the server's owner.", stage="failed")
    for embedded in requests.values():
        refusal = await _refused(engine, call, embedded)
        if refusal is not None:
            return refusal
    return None


async def _refused(engine: Engine, call: Call, embedded: object) -> Refusal | None:
    request = as_object(embedded) or {}
    method, params = as_text(request.get("method")), as_object(request.get("params", {}))
    if method is None or params is None or len(method) > _METHOD_CHARS:
        return own(BROKEN, "the server's request for input is malformed", "Tell the server's owner.", stage="failed")
    return await engine.ask_server_request(call, method, params)
