"""Property: a message is given id and method by its envelope only if every reader of JSON finds the same ones."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.request_envelope import request_envelope

_KEYS = st.sampled_from(["jsonrpc", "id", "method", "params", "Id", "result", "i\\u0064"])
_VALUES = st.sampled_from(
    ['"2.0"', '"1.0"', "1", "1.0", '"1"', "null", '"m"', '"n"', "{}", '{"a":1,"a":2}', "[NaN]", '{"id":9}', '"\\ud800"']
)
_MEMBERS = st.lists(st.tuples(_KEYS, _VALUES), max_size=6)
_WHOLE = st.permutations([("jsonrpc", '"2.0"'), ("id", "1"), ("method", '"m"'), ("params", '{"a":NaN}')])


@given(st.one_of(_MEMBERS, _WHOLE), st.sampled_from(["", " ", "\n\t"]))
def test_an_envelope_is_what_the_first_and_the_last_reader_find(members: list[tuple[str, str]], space: str) -> None:
    text = "{" + ",".join(f'{space}"{key}"{space}:{space}{value}' for key, value in members) + "}"
    found = request_envelope(text.encode())
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    keys = [key for key, _ in pairs]
    plain = len(set(keys)) == len(keys) and set(keys) in (
        {"jsonrpc", "id", "method", "params"},
        {"jsonrpc", "method", "params"},
    )
    values = dict(pairs)
    method, request_id = values.get("method"), values.get("id")
    fits = values.get("jsonrpc") == "2.0" and method in ("m", "n", "1", "1.0", "2.0")
    fits = fits and ("id" not in values or (type(request_id) in {int, str} and request_id != "\ud800"))
    if found is not None:
        assert (found.method, found.id) == (method, request_id)
    assert (found is not None) is (plain and fits)
