"""The key that asks for input, in texts that are written in every way that JSON has, and cut everywhere."""

import re
from itertools import pairwise
from json import JSONDecoder, dumps

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from gateway.protocol.input_requests import Watch

KEY = "inputRequests"
SOUGHT = re.compile(KEY, re.IGNORECASE)
"""As Unicode has it: `Input`, but also `\u0131nput` and `Reque\u017fts`."""

SPELT = st.lists(st.booleans(), min_size=len(KEY), max_size=len(KEY)).map(
    lambda capitals: "".join(c.upper() if capital else c for c, capital in zip(KEY, capitals, strict=True))
)
NEARLY = st.sampled_from(
    [
        *(KEY[:-1], KEY[1:], KEY + KEY, KEY + "\0", "\\" + KEY, '"' + KEY, KEY + '"', KEY + "\\", f'"{KEY}"'),
        *(
            f'\\"{KEY}\\"',
            f'{{"{KEY}":{{}}}}',
            "\\u0069nputRequests",
            "input\nRequests",
            "\u0131nputReque\u017ft\u017f",
        ),
        *("", "\\", '"', '\\"', "\\\\", "x" * 200, "\ud800" + KEY, "\U0001f600" * 20),
    ]
)


@st.composite
def strings(draw: st.DrawFn) -> str:
    """A string as JSON writes it: each letter plain or escaped, in small or in capital hexadecimals."""
    escaping = draw(st.sampled_from([st.just(False), st.just(True), st.booleans()]))

    def letter(one: str) -> str:
        if not ("\ud800" <= one <= "\udfff" or draw(escaping)):
            return dumps(one, ensure_ascii=False)[1:-1]
        units = one.encode("utf-16-be", "surrogatepass").hex()
        units = units.upper() if draw(st.booleans()) else units
        return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))

    value = draw(st.just(KEY) | SPELT | NEARLY | st.text(st.characters(), max_size=20))
    return f'"{"".join(map(letter, value))}"'


SPACE = st.sampled_from(["", "", " ", "\n", "\r\n\t"])
MEMBERS = st.tuples(SPACE, strings(), SPACE, st.just(":"))
TEXTS = st.recursive(
    strings() | st.sampled_from(["null", "true", "-1.5e3"]),
    lambda inner: (
        st.lists(st.tuples(SPACE, inner, SPACE).map("".join), max_size=4).map(lambda found: f"[{','.join(found)}]")
        | st.lists(st.tuples(MEMBERS.map("".join), inner).map("".join), max_size=4).map(
            lambda found: f"{{{','.join(found)}}}"
        )
    ),
    max_leaves=8,
)
"""JSON texts, with keys that may come twice."""


STRING = JSONDecoder().raw_decode


def first_end(text: str) -> int | None:
    """Return where the first string ends that is the key, in bytes, as Python's own reader of JSON has it."""
    at = text.find('"')
    while at >= 0:
        value, end = STRING(text, at)
        if SOUGHT.fullmatch(value):
            return len(text[:end].encode())
        at = text.find('"', end)
    return None


def seen_within(pieces: list[bytes]) -> tuple[int, int] | None:
    """Return the first piece with which the key was seen, as where it begins and ends."""
    watch, at = Watch(), 0
    for piece in pieces:
        if watch.sees(piece):
            return at, at + len(piece)
        at += len(piece)
    return None


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


CUTS = st.lists(st.integers(0, 5_000), max_size=8)


ESCAPED = "".join(f"\\u{ord(letter):04X}" for letter in KEY)
EMPTY = 40 * ',""'


def agrees(text: str, places: list[int]) -> bool:
    """Check that the key is seen as a reader of JSON finds it, cut anywhere, and return whether it is there."""
    raw, end = text.encode(), first_end(text)
    for pieces in (cut(raw, places), cut(raw, list(range(len(raw)))), *(cut(raw, [at]) for at in range(len(raw)))):
        seen = seen_within(pieces)
        assert (seen is not None) is (end is not None)
        assert seen is None or end is None or seen[0] < end <= seen[1], "the piece with the last byte is held back"
    return end is not None


@given(TEXTS, CUTS)
def test_what_a_reader_of_json_finds_is_seen_wherever_the_text_is_cut(text: str, places: list[int]) -> None:
    event("has the key" if agrees(text, places) else "has not")


@pytest.mark.parametrize(
    "text",
    [
        *(f'{{"a":[{{"{KEY}":1}}]}}', f'"{KEY}"', f'{{"a":1,"a":"{KEY}"}}', f'["\\\\","{KEY}"]', f'["{ESCAPED}"]'),
        *(f'["{ESCAPED.lower()}"]', '"INPUTREQUESTS"', '"\u0131nputReque\u017ft\u017f"', '"\u0130nputRequests"'),
        '"\\u0131nput\\u0052eque\\u017Ft\\u017f"',
    ],
)
def test_every_way_of_writing_the_key_is_seen(text: str) -> None:
    assert agrees(text, [])


@pytest.mark.parametrize(
    "text",
    [
        *(f'["\\"{KEY}"{EMPTY}]', f'["\\"{ESCAPED}"{EMPTY}]', f'["\\\\\\"{KEY}",""]', f'["{KEY}\\"",""]'),
        *(
            '"i\\nputRequests"',
            '"inpu\\tRequests"',
            '"input\\requests"',
            '"input\\\\Requests"',
            '"\\\\u0069nputRequests"',
        ),
        *(f'"\\ud800{KEY}"', f'"{KEY}\\u0000"', f'"x{KEY}"', '"input Requests"', '"\\uD83D\\uDE00nputRequests"'),
    ],
)
def test_what_only_resembles_the_key_is_not_taken_for_it(text: str) -> None:
    assert not agrees(text, [])


@pytest.mark.parametrize("text", ['{"\\inputRequests":1}', '{"\\x69nputRe\\x51uests":1}', '{"a":"\n"inputRequests":1}'])
def test_what_only_lenient_readers_take_for_the_key_is_seen(text: str) -> None:
    raw = text.encode()
    assert all(seen_within(cut(raw, [at])) for at in range(len(raw)))


FRAGMENTS = st.sampled_from(
    [b'"', b"\\", b"\\u0069", b"i", b"nput", b"Requests", b'"inputRequests"', b"\xc5\xbf", b"\n"]
)


@given(st.lists(FRAGMENTS | st.binary(max_size=8), max_size=30).map(b"".join), CUTS)
def test_no_text_that_breaks_jsons_form_hides_the_key_or_is_seen_otherwise_when_cut(
    raw: bytes, places: list[int]
) -> None:
    whole = seen_within([raw]) is not None
    assert (seen_within(cut(raw, places)) is not None) is whole
    assert (seen_within(cut(raw, list(range(len(raw))))) is not None) is whole
    assert whole or b'"inputRequests"' not in raw.replace(b'\\"', b"..")


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_what_is_held_is_bounded(pieces: list[bytes]) -> None:
    watch = Watch()
    for piece in pieces:
        watch.sees(piece)
        assert len(watch._held) <= 80
