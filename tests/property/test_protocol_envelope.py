"""The response around a result that nobody reads: only what every reader takes for that one answer passes."""

import json
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from gateway.protocol.response_envelope import MOST, Envelope
from tests.property.test_protocol_input_requests import CUTS, MEMBERS, SPACE, TEXTS, cut, strings

IDS = st.sampled_from(["1", '"1"', '"a }] b"', "-7", r'"\"}\\"', r'"\u00e9{"', '"\u00e9"'])
OWN = st.sampled_from(['"jsonrpc":"2.0"', '"jsonrpc" : "2.0"'])
OTHER = st.sampled_from(
    [
        '"method":"ping"',
        '"jsonrpc":"1.0"',
        '"result":{}',
        '"error":{}',
        '"params":[]',
        '"\\u0069d":1',
        '"x":null',
        '"id":2',
    ]
)
RESULTS = st.lists(st.tuples(MEMBERS.map("".join), TEXTS).map("".join), max_size=4).map(lambda m: f"{{{','.join(m)}}}")


@st.composite
def responses(draw: st.DrawFn) -> tuple[str, str]:
    """A response, mostly a good one, and the id of the request."""
    request_id = draw(IDS)
    own = st.one_of(OWN, st.just(f'"id":{request_id}'))
    before = draw(st.lists(own, max_size=3))
    after = draw(st.lists(own, max_size=3))
    if draw(st.booleans()):
        after.insert(draw(st.integers(0, len(after))), draw(OTHER | st.tuples(strings(), TEXTS).map(":".join)))
    spaced = [draw(SPACE) + member + draw(SPACE) for member in (*before, f'"result":{draw(RESULTS)}', *after)]
    return f"{draw(SPACE)}{{{','.join(spaced)}}}{draw(SPACE)}", request_id


def plain(text: str, request_id: str) -> bool:
    """Return whether a reader of JSON finds nothing but a result, and the request's id as often as there is one."""
    members: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    expected = json.loads(request_id)
    written = text.count('"jsonrpc"') + text.count('"id"') >= sum(key != "result" for key, _ in members)
    allowed = {"jsonrpc": [("jsonrpc", "2.0")], "id": [("id", expected)]}
    ours = all(
        key == "result" or any((key, value) == one and type(value) is type(one[1]) for one in allowed.get(key, []))
        for key, value in members
    )
    return written and ours and sum(key == "result" for key, _ in members) == 1


def passes(pieces: list[bytes], request_id: str) -> bool:
    envelope = Envelope(json.loads(request_id))
    return all(envelope.fits(piece) for piece in pieces) and envelope.closed


def beginning(raw: bytes) -> int:
    """Return where the first piece may end at the earliest: after the result has begun."""
    return raw.index(b"{", raw.index(b'"result"')) + 1


@given(responses(), CUTS)
def test_only_the_one_answer_to_the_request_passes_wherever_it_is_cut(
    response: tuple[str, str], places: list[int]
) -> None:
    text, request_id = response
    raw, good = text.encode(), plain(text, request_id)
    event("plain" if good else "not plain")
    start = beginning(raw)
    for cuts in (places, [], range(len(raw) - start), *([at] for at in range(len(raw) - start))):
        first, *rest = cut(raw[start:], list(cuts))
        assert passes([raw[:start] + first, *rest], request_id) is good


@given(responses(), st.integers(1, 10_000))
def test_a_response_that_is_cut_short_has_no_end(response: tuple[str, str], missing: int) -> None:
    raw = response[0].rstrip().encode()
    raw = raw[: len(raw) - missing % (len(raw) - beginning(raw)) - 1]
    assert not passes([raw], response[1])


@pytest.mark.parametrize("end", [b',"id":"' + MOST * b"x", b" " * (MOST + 1)])
def test_what_follows_a_result_is_not_held_without_bound(end: bytes) -> None:
    envelope = Envelope(1)
    assert envelope.fits(b'{"result":{}')
    assert not all(envelope.fits(end[at : at + 100]) for at in range(0, len(end), 100))


def test_a_result_of_any_depth_and_length_is_followed_to_its_end() -> None:
    deep = b"[" * 300_000 + b"]" * 300_000
    envelope = Envelope(1)
    assert envelope.fits(b'{"id":1,"result":{"a":' + deep)
    assert not envelope.closed
    assert envelope.fits(b"}}" + b" " * 100_000)
    assert envelope.closed
    assert not envelope.fits(b"{")
