"""Whatever comes in, the readers answer with a value; and whatever they accept, every other reader reads alike."""

import json
from typing import Any

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.protocol.key_folding import fold
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Message, Notification, Request, Response, read, read_reply
from gateway.protocol.strict_json import _bare, _depth, parse

WORDS = st.sampled_from(
    [
        "jsonrpc",
        "id",
        "method",
        "params",
        "result",
        "error",
        "name",
        "Name",
        "arguments",
        "_meta",
        "uri",
        "URI",
        "2.0",
        "a",
    ]
)
NUMBERS = st.sampled_from(
    ["0", "-0", "1", "1.0", "1e3", "1E+2", "0.1", "9007199254740991", "9007199254740993", "1e400", "1e-400", "NaN"]
) | st.floats().map(json.dumps)
STRINGS = (st.text(max_size=5) | WORDS).map(json.dumps) | st.sampled_from(['"\\ud800"', '"\\u0069d"', '"\\/"', '"é"'])
SPACE = st.sampled_from(["", "", "", " ", "\n\t"])


def _object(members: list[tuple[str, str, str]]) -> str:
    return "{" + ",".join(f"{space}{key}{space}:{space}{value}" for key, value, space in members) + "}"


JSON = st.recursive(
    NUMBERS | STRINGS | st.sampled_from(["true", "false", "null"]),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda values: f"[{','.join(values)}]")
        | st.lists(st.tuples(STRINGS, inner, SPACE), max_size=4).map(_object)
    ),
    max_leaves=12,
)
"""JSON text with everything that readers disagree about: duplicate keys, large numbers, lone surrogates, NaN."""


def _message(method: str, params: str, more: list[tuple[str, str, str]], space: str) -> str:
    envelope = [('"jsonrpc"', '"2.0"'), ('"id"', "1"), ('"method"', json.dumps(method)), ('"params"', params)]
    return _object([*((key, value, space) for key, value in envelope), *more])


MESSAGES = st.builds(_message, st.text(max_size=8), JSON, st.lists(st.tuples(STRINGS, JSON, SPACE), max_size=1), SPACE)
BODIES = st.binary(max_size=64) | (JSON | MESSAGES).map(lambda text: text.encode("utf-8", "surrogatepass"))


def first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return dict(reversed(pairs))


def lenient(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object as a reader would have it that takes any case of a key for any other; the last one wins."""
    return {fold(key): value for key, value in pairs}


@given(BODIES)
@example(b"")
@example(b"[" * 100_000)
@example(b'{"jsonrpc":"2.0","id":1,"method":"x","params":' + b'{"a":' * 2000 + b"1" + b"}" * 2001)
def test_any_bytes_are_a_message_or_malformed(body: bytes) -> None:
    assert isinstance(read(body), Message | Malformed)
    assert isinstance(read_reply(body), Message | Malformed)


@given(BODIES)
def test_every_reader_agrees_on_what_was_accepted(body: bytes) -> None:
    message = read(body)
    if isinstance(message, Malformed):
        return
    last = json.loads(body)
    assert json.loads(body, object_pairs_hook=first_wins) == last == orjson.loads(body)
    assert message.raw == body
    assert as_envelope(message) == last or ("params" not in last and as_envelope(message) == {**last, "params": {}})


def as_envelope(message: Request | Notification | Response) -> dict[str, Any]:
    if isinstance(message, Response):
        answer = {"result": message.result} if message.error is None else {"error": message.error}
        return {"jsonrpc": "2.0", "id": message.id, **answer}
    named = {"id": message.id} if isinstance(message, Request) else {}
    return {"jsonrpc": "2.0", **named, "method": message.method, "params": message.params}


@given(BODIES)
def test_a_reader_that_folds_keys_loses_nothing_of_what_was_accepted(body: bytes) -> None:
    if isinstance(read(body), Malformed):
        return
    assert count(json.loads(body, object_pairs_hook=lenient)) == count(json.loads(body))


def count(value: Any) -> int:
    """Return how many members all objects of the value have together."""
    if isinstance(value, dict):
        return len(value) + sum(count(inner) for inner in value.values())  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, list):
        return sum(count(inner) for inner in value)  # pyright: ignore[reportUnknownVariableType]
    return 0


@given(JSON)
def test_canonical_bytes_and_others_are_judged_alike(text: str) -> None:
    """The fast path accepts nothing that the strict one refuses: a space more changes nothing but the path."""
    body = text.encode("utf-8", "surrogatepass")
    spaced = b" " + body
    assert outcome(parse(body)) == outcome(parse(spaced))


def outcome(parsed: Any) -> Any:
    return parsed.fault if isinstance(parsed, Malformed) else (type(parsed), parsed)


@given(JSON)
def test_what_is_counted_before_parsing_is_what_parsing_finds(text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    bare = _bare(body)
    objects: list[list[tuple[str, Any]]] = []
    value = json.loads(text, object_pairs_hook=lambda pairs: objects.append(pairs) or [inner for _, inner in pairs])
    assert bare.count(b"{") == len(objects)
    assert bare.count(b":") == sum(map(len, objects))
    assert _depth(bare) == depth(value)


def depth(value: Any) -> int:
    """Return how deep lists nest; objects were read as the list of their values, none left out."""
    return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0  # pyright: ignore[reportUnknownArgumentType]


@given(BODIES)
def test_what_a_client_may_send_a_server_may_too(body: bytes) -> None:
    if not isinstance(read(body), Malformed):
        assert not isinstance(read_reply(body), Malformed)


@given(st.text())
def test_folding_twice_is_folding_once(key: str) -> None:
    assert fold(fold(key)) == fold(key)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=8))
def test_folding_joins_what_any_case_mapping_joins(key: str) -> None:
    assert fold(key.upper()) == fold(key.lower().upper())
    if key.isascii():
        assert fold(key) == fold(key.swapcase()) == fold(key.upper())
