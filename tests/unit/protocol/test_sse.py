"""Server-sent events are read and written as the WHATWG standard defines them."""

import pytest

from gateway.protocol.sse import SseEvent, SseEventTooLarge, SseReader, comment, encode


def events(*chunks: bytes) -> list[SseEvent | SseEventTooLarge]:
    reader = SseReader()
    return [event for chunk in chunks for event in reader.feed(chunk)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lines_end_at_crlf_lf_or_cr(end: bytes) -> None:
    raw = end.join([b"event: message", b"id: 3", b"retry: 100", b"data: a", b"data:  b", b"", b"data:c", b"", b""])
    expected = [SseEvent(event="message", id="3", retry=100, data=b"a\n b"), SseEvent(data=b"c")]
    assert events(raw) == expected
    assert events(*(raw[i : i + 1] for i in range(len(raw)))) == expected


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_lines_end_nowhere_else(letter: str) -> None:
    assert events(f"data: a{letter}b\n\n".encode()) == [SseEvent(data=f"a{letter}b".encode())]


def test_an_event_is_complete_as_soon_as_its_empty_line_is() -> None:
    reader = SseReader()
    assert reader.feed(b"data: a\r\n\r") == [SseEvent(data=b"a")]
    assert reader.feed(b"\ndata: b\n\n") == [SseEvent(data=b"b")]


def test_comments_that_follow_one_another_are_one() -> None:
    assert events(b": one\n:two\n\n:three\n\ndata: a\n:\n: more\ndata: b\n\n") == [
        SseEvent(comment=b"one"),
        SseEvent(comment=b""),
        SseEvent(data=b"a\nb"),
    ]


def test_a_priming_event_is_kept() -> None:
    assert events(b"id: 1\ndata:\n\n") == [SseEvent(id="1", data=b"")]
    assert events(b"id: 1\nretry: 5\n\n") == [SseEvent(id="1", retry=5)]


def test_fields_that_a_client_ignores_are_ignored() -> None:
    assert events(b"nonsense\nother: 1\nid: a\x00b\nretry: 1x\ndata: d\n\n\n\n") == [SseEvent(data=b"d")]


def test_a_byte_order_mark_may_begin_the_stream_and_nothing_else() -> None:
    assert events(b"\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n") == [SseEvent(data=b"a")]


def test_an_event_that_is_not_complete_is_not_an_event() -> None:
    assert events(b"data: a\n") == []


@pytest.mark.parametrize("chunks", [[b"data: " + b"x" * 100], [b"data: x\n"] * 20, [b"x"] * 100])
def test_an_event_larger_than_the_bound_ends_the_reading(chunks: list[bytes]) -> None:
    reader = SseReader(bound=50)
    found = [event for chunk in chunks for event in reader.feed(chunk)]
    assert found[0] == SseEventTooLarge(50)
    assert reader.feed(b"\n\ndata: a\n\n") == [SseEventTooLarge(50)]


def test_an_event_may_have_just_the_bound() -> None:
    assert SseReader(bound=10).feed(b"data: abc\n") == []
    assert SseReader(bound=9).feed(b"data: abc\n") == [SseEventTooLarge(9)]
    assert SseReader(bound=9).feed(b"data: abc") == []
    assert SseReader(bound=8).feed(b"data: abc") == [SseEventTooLarge(8)]


def test_events_before_a_too_large_event_are_kept() -> None:
    assert SseReader(bound=50).feed(b"data: a\n\ndata: " + b"x" * 100) == [SseEvent(data=b"a"), SseEventTooLarge(50)]


def test_the_bound_is_for_one_event() -> None:
    reader = SseReader(bound=50)
    assert [reader.feed(b"data: " + b"x" * 30 + b"\n\n")[0] for _ in range(10)] == [SseEvent(data=b"x" * 30)] * 10
    assert reader.feed(b": " + b"x" * 30 + b"\n") == [SseEvent(comment=b"x" * 30)]
    assert all(reader.feed(b": " + b"x" * 30 + b"\n") == [] for _ in range(10))


@pytest.mark.parametrize(
    "event",
    [
        SseEvent(data=b"{}", id="a", event="message", retry=1),
        SseEvent(data=b"", id="a"),
        SseEvent(id="a"),
        SseEvent(data=b" leading\n\nlines"),
        SseEvent(comment=b" ping"),
    ],
)
def test_a_written_event_is_read_alike(event: SseEvent) -> None:
    assert events(encode(event)) == [event]


def test_content_cannot_begin_a_field() -> None:
    assert events(encode(SseEvent(data=b"a\rid: 1\r\nevent: x"))) == [SseEvent(data=b"a\nid: 1\nevent: x")]
    assert events(encode(SseEvent(id="a\ndata: b", data=b"c"))) == [SseEvent(id="adata: b", data=b"c")]
    assert events(encode(SseEvent(comment=b"a\n\ndata: b"))) == [
        SseEvent(comment=b"a"),
    ]
    assert events(encode(SseEvent(comment=b"a\rdata: b")) + b"data: c\n\n") == [
        SseEvent(comment=b"a"),
        SseEvent(data=b"c"),
    ]


@pytest.mark.parametrize("line", [b":\n", b":\n\n", b"\n", b"data:x\n:\n", b"a: b\n"])
def test_a_step_does_little_however_much_a_chunk_holds(line: bytes) -> None:
    reader = SseReader(bound=1_000_000)
    reader.take(b"data: a\n\n" + line * 50_000)
    assert reader.step() == SseEvent(data=b"a")
    before = reader._at
    reader.step()
    assert 0 < reader._at - before <= 65 * 257


def test_a_comment_keeps_a_stream_open() -> None:
    assert comment("ping") == b": ping\n\n"
