"""Requests of a server to the client that are embedded in a result, an error or a notification.

Rule 1: every embedded request is a separate question (PROTOCOL 1.1), even if the message presents it as something else.
Rule 2: an unreadable embedded request refuses the whole message, as does one in a result that may not ask for input.
Rule 3: an error asks by `elicitations` (-32042), `inputRequests` or a URL elicitation anywhere in its `data`, in every
era. A task asks by the content of the task, its result and its error.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from gateway.admission.refusal import Refusal, own
from gateway.pipeline.call import Call
from gateway.pipeline.engine import Engine
from gateway.protocol.ambiguous_results import misleading, misleading_error
from gateway.protocol.json_values import as_list, as_object, as_text
from gateway.protocol.key_folding import clashing, fold, misspelt
from gateway.protocol.methods import Method

KEY: Final = "inputRequests"
BROKEN: Final = "upstream_broken"
_ELICITATIONS: Final = "elicitations"
_CREATE: Final = "elicitation/create"
_WITHIN: Final = frozenset({"result", "task", "error"})
"""Members of a task's state that are themselves results, tasks or errors."""
_METHOD_CHARS: Final = 256
_MOST: Final = 64
"""Maximum requests in one message."""
_VALUES: Final = 20_000
"""Maximum values in the data of one error."""
_OWNER: Final = "Report this to the server's owner."


class Embedded(Struct, frozen=True):
    """One embedded request."""

    method: str
    params: Mapping[str, Any]


def asks(result: Mapping[str, Any]) -> bool:
    """Return whether a result asks the client for something, or claims to."""
    return KEY in result or result.get("resultType") == "input_required"


def may_ask(method: Method, result: Mapping[str, Any]) -> bool:
    """Return whether the result of a method may ask: only multi-round-trip methods and task states may."""
    rounds = method.multi_round_trip
    return rounds if result.get("resultType") == "input_required" else rounds or method.target == "task"


async def refused(engine: Engine, call: Call, holder: Mapping[str, Any]) -> Refusal | None:
    """Return why a request embedded in a result, or in the parameters of a notification, may not reach the client."""
    return await _judged(engine, call, _requests(holder.get(KEY, {})))


async def refused_error(engine: Engine, call: Call, error: Mapping[str, Any]) -> Refusal | None:
    """Return why a request embedded in an error may not reach the client."""
    if misleading_error(error):
        return own(
            BROKEN, "the server's error has a key that some readers take for another one", _OWNER, stage="failed"
        )
    return await _judged(engine, call, in_error(error))


async def refused_task(engine: Engine, call: Call, state: Mapping[str, Any]) -> Refusal | None:
    """Return why the content of a task's state, of its result or of its error may not reach the client."""
    inside = _inner(state)
    if inside is None:
        return own(BROKEN, "the server's task has a key that some readers take for another one", _OWNER, stage="failed")
    for key, inner in inside:
        refusal = await (refused_error(engine, call, inner) if key == "error" else _refused_holder(engine, call, inner))
        if refusal is not None:
            return refusal
    return None


async def refused_news(engine: Engine, call: Call, params: Mapping[str, Any]) -> Refusal | None:
    """Return why the parameters of a notification may not reach the client."""
    return await _refused_holder(engine, call, params) or await refused_task(engine, call, params)


async def _refused_holder(engine: Engine, call: Call, holder: Mapping[str, Any]) -> Refusal | None:
    if misleading(holder):
        return own(
            BROKEN, "the server's message has a key that some readers take for another one", _OWNER, stage="failed"
        )
    return await refused(engine, call, holder)


def _inner(state: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]] | None:
    """Return the results, tasks and errors in a task's state at any depth, or null if a key resembles one of theirs."""
    found = list[tuple[str, dict[str, Any]]]()
    left: list[Mapping[str, Any]] = [state]
    for holder in left:
        if any(fold(key) in _WITHIN for key in holder.keys() - _WITHIN):
            return None
        inside = [(key, as_object(holder.get(key))) for key in sorted(_WITHIN)]
        known = [(key, inner) for key, inner in inside if inner is not None]
        found += known
        left.extend(inner for key, inner in known if key != "error")
    return found


async def _judged(engine: Engine, call: Call, requests: list[Embedded] | None) -> Refusal | None:
    if requests is None:
        return own(BROKEN, "the server's requests for input are malformed", _OWNER, stage="failed")
    if len(requests) > _MOST:
        return own(BROKEN, f"the server sent more than {_MOST} input requests in one message", _OWNER, stage="failed")
    for request in requests:
        refusal = await engine.ask_server_request(call, request.method, request.params)
        if refusal is not None:
            return refusal
    return None


def _requests(value: object) -> list[Embedded] | None:
    """Return the requests of an `inputRequests`, or null if one of them is malformed."""
    requests = as_object(value)
    if requests is None:
        return None
    found = [_request(value) for value in requests.values()]
    return None if None in found else [request for request in found if request is not None]


def _request(value: object) -> Embedded | None:
    request = as_object(value) or {}
    method, params = as_text(request.get("method")), as_object(request.get("params", {}))
    if method is None or params is None or len(method) > _METHOD_CHARS:
        return None
    odd = any(fold(key) in _REQUEST for key in request.keys() - _REQUEST)
    return None if odd else _sound(Embedded(method, params))


def _sound(request: Embedded) -> Embedded | None:
    """Return the request, or null if some readers take one of its keys for another one."""
    params = dict(request.params)
    return request if misspelt(params) is None and clashing(params) is None else None


def in_error(error: Mapping[str, Any]) -> list[Embedded] | None:
    """Return the requests in an error's data, or null if one is malformed or the data has too many values."""
    found = list[Embedded]()
    left: list[object] = [error.get("data")]
    for seen, value in enumerate(left):
        if seen > _VALUES:
            return None
        left.extend(as_list(value) or ())
        node = as_object(value)
        if node is None:
            continue
        requests, rest = _in_object(node)
        if requests is None:
            return None
        found += requests
        left.extend(rest)
    return found


def _in_object(node: dict[str, Any]) -> tuple[list[Embedded] | None, list[object]]:
    """Return the requests of one object of an error's data, and its other values that may contain requests."""
    found, rest = list[Embedded](), list[object]()
    names = set(map(fold, node))
    if "url" in names and not names.isdisjoint(_URL_MARKS):
        request = _sound(Embedded(_CREATE, node))
        if request is None:
            return None, []
        found.append(request)
    for key, value in node.items():
        name = fold(key)
        if name not in _ASKING:
            rest.append(value)
            continue
        requests = _ASKING[name](value) if key in {KEY, _ELICITATIONS} else None
        if requests is None:
            return None, []
        found += requests
    return found, rest


def _elicitations(value: object) -> list[Embedded] | None:
    """Return the requests of an `elicitations`. Each has the parameters of `elicitation/create`."""
    found = [as_object(item) for item in as_list(value) or ()]
    sound = [_sound(Embedded(_CREATE, params)) if params is not None else None for params in found]
    return None if as_list(value) is None or None in sound else [request for request in sound if request is not None]


_REQUEST: Final = frozenset({"method", "params"})
_URL_MARKS: Final = frozenset({"mode", fold("elicitationId")})
_ASKING: Final = {fold(KEY): _requests, fold(_ELICITATIONS): _elicitations}
