"""The strict reader refuses exactly what a slow reader refuses that looks at every key and number as text."""

from typing import Any

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.digests import canonical
from gateway.protocol.malformed import Malformed
from gateway.protocol.strict_json import parse
from tests.property.strict_reader import AmbiguousError, strict

NUMBERS = st.one_of(
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"-?(0|[1-9][0-9]{0,22})(\.[0-9]{1,22})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(
        [
            *("-0", "-0.0", "1.50", "1E+5", "1e400", "1e-400", "5e-324", "2e-324", "0e999", "9007199254740992", "NaN"),
            *("0." + "0" * 400 + "1", "1" + "0" * 400, "100000000000000000000.0", "1e16", "01", "1.", "+1", "Infinity"),
        ]
    ),
)
STRINGS = st.one_of(
    st.text(max_size=4).map(lambda text: orjson.dumps(text).decode()),
    st.sampled_from(
        [
            *(
                '"a"',
                '"\\u0061"',
                '"A"',
                '"\\/"',
                '"\\""',
                '"\\\\"',
                '"\\\\\\""',
                '"\\ud800"',
                '"\\ud83d\\ude00"',
                '"a',
            ),
            *('"\\n"', '"\\u000a"', '"\x01"', '"1.0,"', '"[{:"', '"\\x"', '"\\udc00\\ud800"'),
        ]
    ),
)
SPACE = st.sampled_from(["", "", "", " ", "\n", "\r\t", "\x0c"])


def spaced(text: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(SPACE, text, SPACE).map("".join)


def bodies(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    members = st.tuples(spaced(STRINGS), spaced(inner)).map(":".join)
    arrays = st.lists(spaced(inner), max_size=4).map(lambda parts: f"[{','.join(parts)}]")
    return arrays | st.lists(members, max_size=4).map(lambda parts: f"{{{','.join(parts)}}}")


BODIES = spaced(st.recursive(NUMBERS | STRINGS | st.sampled_from(["true", "false", "null", "nul"]), bodies))


@given(BODIES)
def test_a_body_is_read_exactly_if_the_slow_reader_reads_it(body: str) -> None:
    raw = body.encode("utf-8", "surrogatepass")
    read = parse(raw)
    try:
        expected = strict(raw)
    except AmbiguousError:
        assert isinstance(read, Malformed)
    else:
        assert repr(read) == repr(expected)


@pytest.mark.parametrize("fault", ["duplicate_key", "number", "not_json"])
@given(data=st.data())
def test_a_fault_in_the_midst_of_other_values_is_found_and_named(fault: str, data: st.DataObject) -> None:
    odd = {"duplicate_key": '{"a":1,"\\u0061":2}', "number": "12345678901234567890", "not_json": "NaN"}[fault]
    before, after = (data.draw(st.integers(0, 9_000)) for _ in range(2))
    filler = data.draw(st.sampled_from(["1.50", "1e5", "1", '"\\u0061"', "null"]))
    body = f"[{f'{filler},' * before}{odd}{f',{filler}' * after}]"
    read = parse(body.encode())
    assert isinstance(read, Malformed)
    assert read.fault == fault


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**53) + 1, 2**53 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(1e-8, 1e23),
    st.integers(-(10**22), 10**22).map(float),
    st.text(max_size=4),
    st.sampled_from(["1.0,", "e+17", "-0]", "null", '"', "\\", '\\"']),
)
KEYS = st.text(st.sampled_from("ab\ue000\uffff\U0001f600é"), max_size=3) | st.text(max_size=3)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(KEYS, inner, max_size=5))


@given(VALUES)
def test_the_canonical_form_is_that_of_rfc_8785(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.lists(st.sampled_from([1.0, -0.0, 1e16, 1.5e20, 1e21, 1e-6, 1.5e-6, 1e-7, 0.5]), max_size=20_000))
def test_long_lists_of_odd_numbers_have_the_canonical_form(numbers: list[float]) -> None:
    assert canonical({"m": numbers}) == rfc8785.dumps({"m": numbers})
