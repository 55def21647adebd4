"""Forms of an echoed id under hypothesis."""

import json

import orjson
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.members import distinct
from gateway.protocol.message import Response, read_reply
from gateway.protocol.reply_ids import addressed, alike, same

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1)
IDS = NUMBERS | st.text(alphabet=st.characters(codec="utf-8"), max_size=12) | NUMBERS.map(str)
GIVEN = IDS | st.booleans() | st.none() | st.floats() | st.lists(NUMBERS, max_size=1)


@given(NUMBERS)
def test_every_plain_form_of_a_number_is_alike(number: int) -> None:
    forms = [number, str(number), float(number), f"{number}.0"]
    assert all(alike(form, number) for form in forms)
    assert all(alike(form, str(number)) for form in (number, float(number), str(number)))


@given(GIVEN, IDS)
def test_what_is_alike_is_written_alike(given: object, own: str | int) -> None:
    if alike(given, own):
        assert type(given) is not bool
        assert float(str(given)) == float(own) if not same(given, own) else given == own


@given(IDS, IDS, st.dictionaries(st.text(max_size=3), NUMBERS | st.floats(allow_nan=False), max_size=3))
def test_a_response_gets_the_clients_id_and_keeps_its_result(first: str | int, own: str | int, result: object) -> None:
    raw = orjson.dumps({"jsonrpc": "2.0", "id": first, "result": result, "extra": [1.5]}, option=orjson.OPT_INDENT_2)
    response = read_reply(raw)
    assert isinstance(response, Response)
    moved = addressed(response, own)
    assert read_reply(moved.raw) == moved
    assert orjson.loads(moved.raw) == orjson.loads(raw) | {"id": own}
    assert type(moved.id) is type(own)


WRITTEN_KEYS = st.lists(st.sampled_from(["a", r"\u0061", r"\"", r"\u0022", r"\\", "result"]), max_size=3).map("".join)


@given(st.lists(st.tuples(WRITTEN_KEYS, st.sampled_from(["0", '"x"', r'"\""', '{"a":"b"}'])), min_size=1, max_size=6))
def test_an_object_with_a_key_twice_is_never_taken_for_distinct(members: list[tuple[str, str]]) -> None:
    body = "{" + ",".join(f'"{key}":{value}' for key, value in members) + "}"
    keys = [json.loads(f'"{key}"') for key, _ in members]
    assert not distinct(body.encode()) or len(set(keys)) == len(keys)
    assert distinct(body.encode()) or len(set(keys)) < len(keys) or '"' in "".join(keys)
