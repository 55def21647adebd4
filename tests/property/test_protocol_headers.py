"""Header readers under hypothesis: no input raises, and what agrees says the same."""

import base64
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.headers import (
    Agreed,
    Headers,
    agree,
    agree_parameters,
    agree_stream,
    decode_value,
    encode_value,
    forwardable,
    parameters_of,
    read_headers,
    unpostable,
    unstreamable,
)
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import read
from gateway.protocol.methods import METHODS, Method, lookup, target_of
from gateway.protocol.revisions import SUPPORTED

NAMES = st.sampled_from(
    [b"MCP-Protocol-Version", b"Mcp-Method", b"Mcp-Name", b"Mcp-Param-A", b"Accept", b"Content-Type", b"Origin", b"x"]
) | st.binary(max_size=8)
VALUES = st.binary(max_size=24) | st.sampled_from(
    [revision.encode() for revision in SUPPORTED]
    + [b"tools/call", b"echo", b"=?base64?ZWNobw==?=", b"application/json"]
)
LINES = st.lists(st.tuples(NAMES, VALUES), max_size=6)
ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5) | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["properties", "x-mcp-header", "type", "items", "anyOf", "$defs", "a", "name", "uri", "ref"]
            ),
            inner | st.sampled_from(["string", "integer", "A", "B"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)
PARAMS = st.dictionaries(
    st.sampled_from(["name", "uri", "_meta", "ref", "taskId"]), ANY | st.just("echo"), min_size=1, max_size=4
)


@given(LINES)
def test_any_lines_are_headers_or_malformed(lines: list[tuple[bytes, bytes]]) -> None:
    headers = read_headers(lines)
    if isinstance(headers, Malformed):
        return
    assert isinstance(agree_stream(headers), Agreed | Malformed)
    assert isinstance(unpostable(headers), Malformed | None)
    assert isinstance(unstreamable(headers), Malformed | None)
    for name, value in forwardable(headers, "modern"):
        assert value.isascii()
        assert headers.get(name) == value


@given(
    LINES,
    st.sampled_from([row.name for row in METHODS]),
    st.dictionaries(st.sampled_from(["name", "uri", "_meta"]), ANY),
)
def test_any_message_agrees_with_its_headers_or_is_malformed(
    lines: list[tuple[bytes, bytes]], method: str, params: dict[str, Any]
) -> None:
    headers, message = (
        read_headers(lines),
        read(orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})),
    )
    if isinstance(headers, Malformed) or isinstance(message, Malformed):
        return
    agreed = agree(headers, message)
    if isinstance(agreed, Malformed):
        return
    assert headers.get("mcp-method") in {None, method}
    if headers.get("mcp-name") is not None and lookup(method, direction="client", revision=agreed.revision):
        assert decode_value(headers.get("mcp-name") or "") in [params.get(key) for key in ("name", "uri", "taskId")]


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_a_value_survives_the_sentinel(text: str) -> None:
    assert decode_value(f"=?base64?{base64.b64encode(text.encode()).decode()}?=") == text


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20) | st.just("=?base64?eA==?="))
def test_an_encoded_value_is_decoded_to_the_same_text(text: str) -> None:
    value = encode_value(text)
    assert decode_value(value) == text
    assert value.isascii()
    assert value.isprintable()
    assert value == value.strip()


@given(st.text(max_size=40))
def test_any_text_is_a_value_or_none(text: str) -> None:
    assert isinstance(decode_value(text), str | None)
    assert isinstance(decode_value(f"=?base64?{text}?="), str | None)


@given(ANY, PARAMS)
def test_any_schema_has_parameters_or_is_invalid(schema: Any, arguments: dict[str, Any]) -> None:
    parameters = parameters_of(schema)
    if parameters is not None:
        assert isinstance(agree_parameters(Headers({}), arguments, parameters), Malformed | None)


@given(st.sampled_from(METHODS), PARAMS)
def test_any_params_have_a_target_or_none(row: Method, params: dict[str, Any]) -> None:
    place = target_of(row, params)
    if place is not None and row.target in {"tool", "prompt", "task"}:
        assert place.name == params[row.field]
