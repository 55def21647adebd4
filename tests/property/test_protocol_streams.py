"""Event streams and seals under hypothesis."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.sealing import EventSeal, RequestSeal, Ring, SessionSeal
from gateway.protocol.sse import SseEvent, SseEventTooLarge, SseReader, encode

LINES = st.sampled_from(
    [
        b"data: a",
        b"data:",
        b"data",
        b"id: 1",
        b"id",
        b"event: message",
        b"retry: 5",
        b": hi",
        b":",
        b"x: y",
        b"",
        b"",
        b"\xff",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.lists(st.tuples(LINES, ENDS).map(b"".join), max_size=20).map(b"".join) | st.binary(max_size=80)

SINGLE = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
DATA = st.binary(max_size=40).map(lambda raw: raw.replace(b"\r", b""))
EVENTS = st.builds(
    SseEvent,
    data=st.none() | DATA,
    id=st.none() | SINGLE,
    event=st.none() | SINGLE,
    retry=st.none() | st.integers(0, 10**8),
).filter(lambda event: event != SseEvent()) | st.builds(SseEvent, comment=DATA.map(lambda raw: raw.replace(b"\n", b"")))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


def read(chunks: list[bytes], bound: int = 1000) -> list[SseEvent | SseEventTooLarge]:
    reader = SseReader(bound)
    return [event for chunk in chunks for event in reader.feed(chunk)]


def coalesced(events: list[SseEvent]) -> list[SseEvent]:
    """Return the events with one comment for all that follow one another."""
    pairs = zip([None, *events], events, strict=False)
    return [event for before, event in pairs if event.comment is None or before is None or before.comment is None]


@given(STREAMS, st.lists(st.integers(0, 1000), max_size=6))
def test_where_a_stream_is_cut_changes_nothing(stream: bytes, places: list[int]) -> None:
    assert read(cut(stream, places)) == read([stream]) == read([stream[i : i + 1] for i in range(len(stream))])


@given(st.lists(EVENTS, max_size=5), st.lists(st.integers(0, 1000), max_size=6))
def test_what_is_written_is_read_alike_however_it_is_cut(events: list[SseEvent], places: list[int]) -> None:
    assert read(cut(b"".join(map(encode, events)), places)) == coalesced(events)


@given(st.binary(max_size=200), st.lists(st.integers(0, 1000), max_size=6))
def test_any_content_stays_inside_its_event(content: bytes, places: list[int]) -> None:
    (event,) = read(cut(encode(SseEvent(id="1", data=content)), places))
    assert isinstance(event, SseEvent)
    assert event.id == "1"
    assert event.data == content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@given(st.lists(st.binary(max_size=30), max_size=20), st.integers(10, 60))
def test_memory_is_bounded_whatever_is_sent(chunks: list[bytes], bound: int) -> None:
    reader = SseReader(bound)
    for chunk in chunks:
        found = reader.feed(chunk)
        held = sum(map(len, reader._part)) + sum(map(len, reader._data))
        assert held <= bound or isinstance(found[-1], SseEventTooLarge)
        assert all(isinstance(event, SseEvent) and len(event.data or b"") <= bound for event in found[:-1])


KEYS = st.binary(min_size=64, max_size=64).filter(lambda key: key[:32] != key[32:])
NONCES = st.binary(min_size=12, max_size=12)
TEXT = st.text(alphabet=st.characters(codec="utf-8"), max_size=20)
SEALS = (
    st.builds(SessionSeal, upstream_id=TEXT, server=TEXT, principal=TEXT, agent=TEXT, revision=TEXT, client=TEXT)
    | st.builds(EventSeal, upstream_id=TEXT, session=st.binary(max_size=32), method=TEXT, request_id=st.none() | TEXT)
    | st.builds(
        RequestSeal,
        upstream_id=TEXT | st.integers(-(2**53), 2**53),
        session=st.binary(max_size=32),
        method=TEXT,
        server=TEXT,
    )
)


@given(KEYS, SEALS, NONCES)
def test_a_seal_opens_as_what_was_closed_and_for_nobody_else(
    key: bytes, seal: SessionSeal | EventSeal | RequestSeal, nonce: bytes
) -> None:
    text = Ring(key).close(seal, nonce)
    assert all("!" <= letter <= "~" for letter in text)
    assert Ring(key).open(type(seal), text) == seal
    assert Ring(key[32:] + key[:32]).open(type(seal), text) is None


@given(KEYS, st.binary(min_size=1, max_size=40), NONCES, st.data())
def test_a_seal_that_was_tampered_with_does_not_open(
    key: bytes, payload: bytes, nonce: bytes, data: st.DataObject
) -> None:
    ring = Ring(key)
    text = ring.seal("event", payload, nonce)
    position = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+/ "))
    changed = text[:position] + letter + text[position + 1 :]
    assert ring.unseal("event", changed) == (payload if changed == text else None)
    assert ring.unseal("events", text) is None


@given(st.text(max_size=120))
def test_any_text_opens_as_nothing(text: str) -> None:
    ring = Ring(bytes(range(64)))
    assert ring.unseal("session", text) is None
    assert ring.open(SessionSeal, text) is None
