"""A list that was written again: the kept items are the server's, digit for digit, and every reader reads the same."""

import json
from typing import Any, Final

import orjson
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.protocol.list_writer import ListChange, unchanged, written
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Response, read_reply
from gateway.protocol.strict_json import JsonLimits, parse

GENEROUS: Final = JsonLimits(depth=1_000)
LIMIT: Final = "340282366920938463463374607431768211455"
ODD_NUMBERS: Final = ["1.10", "-0", "0.0", "1e2", "1E+2", LIMIT, "0.1000000000000000055"]
NUMBERS: Final = st.one_of(
    st.integers().map(str),
    st.sampled_from(ODD_NUMBERS),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
)
SPACES: Final = st.sampled_from(["", " ", "\n\t", "\r\n  "])
ODD_KEYS: Final = ["name", "Name", "a", "b", "é", "\\u00e9", "K", "\u212a", "x y", '\\"', "\\\\"]
ANY_TEXT: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)
KEYS: Final = st.sampled_from(ODD_KEYS) | ANY_TEXT.map(lambda text: json.dumps(text)[1:-1])


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """The text of an object, whose keys may come twice."""
    pairs = draw(st.lists(st.tuples(KEYS, inner), max_size=4))
    space = draw(SPACES)
    return "{" + f",{space}".join(f'{space}"{key}"{space}:{space}{value}' for key, value in pairs) + space + "}"


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """The text of an array."""
    space = draw(SPACES)
    return f"[{space}" + f"{space},".join(draw(st.lists(inner, max_size=4))) + "]"


SCALARS: Final = NUMBERS | st.sampled_from(
    ["true", "false", "null", '"x"', '"\\u00e9\\n"', '"\\ud83d\\ude00"', '"1.10"']
)
VALUES: Final = st.recursive(SCALARS, lambda inner: objects(inner) | arrays(inner), max_leaves=12)


def as_text(text: str | bytes) -> Any:
    """Read JSON with numbers as the text that they are, marked as such."""
    return json.loads(text, parse_int=lambda number: ("number", number), parse_float=lambda number: ("number", number))


def message(members: list[tuple[str, str]], space: str = "") -> bytes:
    """Return a response with these members in its result."""
    result = ",".join(f'{space}"{key}":{space}{value}' for key, value in members)
    return f'{{"result":{{{result}}},{space}"jsonrpc":"2.0","id":7}}'.encode()


def read(raw: bytes) -> dict[str, Any]:
    """Return the result of a response as the gateway reads it."""
    found = read_reply(raw)
    assert isinstance(found, Response), found
    return dict(found.result or {})


def readable(raw: bytes) -> dict[str, Any]:
    """Return the result of a generated response; what the gateway does not read never reaches the writer."""
    assume(isinstance(read_reply(raw), Response))
    return read(raw)


@given(st.lists(st.tuples(VALUES, st.booleans()), max_size=5), VALUES, SPACES, st.integers(0, 100))
def test_what_is_kept_keeps_its_numbers_and_is_unequivocal(
    items: list[tuple[str, bool]], other: str, space: str, ttl_ms: int
) -> None:
    listed = f",{space}".join(item for item, _ in items)
    raw = message([("_meta", other), ("tools", f"[{listed}]"), ("ttlMs", "1e9"), ("nextCursor", '"c"')], space)
    result = readable(raw)
    replaced = {"ttlMs": ttl_ms, "cacheScope": "private"}
    change = ListChange(member="tools", kept=[keep for _, keep in items], replaced=replaced)
    output = written(raw, result, change, id="x")
    assert output is not None
    got = as_text(output)
    assert (got["id"], got["jsonrpc"]) == ("x", "2.0")
    assert got["result"] == {
        "_meta": as_text(other),
        "tools": [as_text(item) for item, keep in items if keep],
        "ttlMs": ("number", str(ttl_ms)),
        "nextCursor": "c",
        "cacheScope": "private",
    }
    judged = parse(output, GENEROUS)
    assert not isinstance(judged, Malformed) or judged.fault == "number"


@given(VALUES, VALUES)
def test_what_need_not_be_written_is_unequivocal_as_it_came(item: str, other: str) -> None:
    raw = message([("tools", f"[{item}]"), ("_meta", other)])
    result = readable(raw)
    if unchanged(raw, result, ListChange(member="tools", kept=[True])):
        judged = parse(raw, GENEROUS)
        assert not isinstance(judged, Malformed) or judged.fault == "number"


@given(st.binary(max_size=60))
def test_bytes_that_are_no_response_are_neither_unchanged_nor_written(raw: bytes) -> None:
    change = ListChange(member="tools", kept=[])
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        found = None
    assume(not isinstance(found, dict))
    assert not unchanged(raw, {}, change)
    assert written(raw, {}, change, id=1) is None


TOOL: Final = f'{{"name":"a","inputSchema":{{"properties":{{"n":{{"maximum":{LIMIT},"multipleOf":1.10}}}}}}}}'


def test_a_limit_beyond_a_double_keeps_its_digits() -> None:
    raw = message([("tools", f'[{TOOL},{{"name":"hidden"}}]')])
    output = written(raw, read(raw), ListChange(member="tools", kept=[True, False]), id=7)
    assert output == b'{"jsonrpc":"2.0","id":7,"result":{"tools":[' + TOOL.encode() + b"]}}"


@pytest.mark.parametrize("space", ["", " ", "\n"])
def test_a_list_of_which_everything_stays_need_not_be_written(space: str) -> None:
    raw = message([("tools", f"[{TOOL}]"), ("ttlMs", "5"), ("cacheScope", '"private"')], space)
    change = ListChange(member="tools", kept=[True], replaced={"ttlMs": 5, "cacheScope": "private"})
    assert unchanged(raw, read(raw), change)
    assert not unchanged(raw, read(raw), ListChange(member="tools", kept=[False]))
    assert not unchanged(raw, read(raw), ListChange(member="tools", kept=[True], replaced={"ttlMs": 4}))
    assert not unchanged(raw, read(raw), ListChange(member="tools", kept=[True], replaced={"more": None}))


@pytest.mark.parametrize(
    ("item", "output"),
    [
        ('{"name":"a","name":"b","n":1.10}', '{"name":"b","n":1.10}'),
        ('{"name": "a", "Name": "b", "n": 1.10}', '{"name":"a","Name":"b","n":1.10}'),
        ('{"\\u006eame":"a","n":0.5,"m":18446744073709551616}', '{"\\u006eame":"a","n":0.5,"m":18446744073709551616}'),
        ('{"name":"\\u0061","n":1.10}', '{"name":"\\u0061","n":1.10}'),
        ('{ "name" : "a  b", "n": 1.10 }', '{ "name" : "a  b", "n": 1.10 }'),
        ('{"name":"a","x":{"y":1,"y":2}}', '{"name":"a","x":{"y":2}}'),
        ('{"na\\u006de":"a","name":"b"}', '{"name":"b"}'),
    ],
)
def test_bytes_are_copied_only_if_every_reader_reads_the_same(item: str, output: str) -> None:
    raw = message([("tools", f"[{item}]"), ("more", "0")])
    result = read(raw)
    change = ListChange(member="tools", kept=[True], replaced={"more": 1})
    assert written(raw, result, change, id=1) == (
        b'{"jsonrpc":"2.0","id":1,"result":{"tools":[' + output.encode() + b'],"more":1}}'
    )
    twice = item.replace("\\u006e", "n").count('"name":') > 1 or item.count('"y":') > 1 or "na\\u006d" in item
    assert unchanged(raw, result, ListChange(member="tools", kept=[True])) is not twice


def test_a_response_in_an_array_of_one_can_be_written() -> None:
    raw = b" [" + message([("tools", '[{"name":"a"},{"name":"b"}]')]) + b"]"
    result = {"tools": [{"name": "a"}, {"name": "b"}]}
    output = written(raw, result, ListChange(member="tools", kept=[False, True]), id="i")
    assert output == b'{"jsonrpc":"2.0","id":"i","result":{"tools":[{"name":"b"}]}}'


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b"[1]", b'{"result":1}', b'{"result":{"tools":[', b'{"id":1}'])
def test_what_is_no_list_result_cannot_be_written(raw: bytes) -> None:
    change = ListChange(member="tools", kept=[True])
    assert written(raw, {"tools": [1]}, change, id=1) is None


def test_an_item_that_nests_too_deep_cannot_be_written() -> None:
    deep = "[" * 900 + "]" * 900
    raw = message([("tools", f"[{deep},1]")])
    result = orjson.loads(raw)["result"]
    assert written(raw, result, ListChange(member="tools", kept=[True, False]), id=1) is None


def test_the_number_of_items_must_be_that_of_the_judgments() -> None:
    raw = message([("tools", "[1,2]")])
    for kept in ([], [True], [True] * 3):
        assert written(raw, read(raw), ListChange(member="tools", kept=kept), id=1) is None
        assert not unchanged(raw, read(raw), ListChange(member="tools", kept=kept))


def test_a_large_list_is_left_as_it_came_only_if_that_is_cheap_to_know() -> None:
    items = ", ".join(['{"name": "a"}'] * 10_000)
    change = ListChange(member="tools", kept=[True] * 10_000)
    for spaced in (message([("tools", f"[{items}]")]), message([("tools", f"[{items.replace(' ', '')}]")])):
        result = read(spaced)
        assert unchanged(spaced, result, change) is (b" " not in spaced)
        assert orjson.loads(written(spaced, result, change, id=7) or b"")["result"] == result
