"""A seal opens to exactly the sealed value, or to nothing."""

import pytest

from gateway.protocol.sealing import FIXED_NONCE, EventSeal, RequestSeal, Ring, Seal, SessionSeal, TaskSeal

OLD, NEW, OTHER = (bytes([number]) * 32 + bytes([number + 1]) * 32 for number in (1, 3, 5))
NONCE = bytes(range(12))
SESSION = SessionSeal(
    upstream_id="abc", server="github", principal="token\x1f\x1f\x1fd", agent="bot", revision="2025-11-25", client="x"
)
EVENT = EventSeal(upstream_id="7", session=b"d" * 16, method="tools/call", request_id=1, call_id="c")
REQUEST = RequestSeal(upstream_id=0, session=b"d" * 16, method="elicitation/create", server="github", call_id="c")


@pytest.mark.parametrize("seal", [SESSION, EVENT, REQUEST])
def test_a_seal_opens_as_what_was_closed(seal: Seal) -> None:
    text = Ring(NEW).close(seal, NONCE)
    assert text.isascii()
    assert text.isprintable()
    assert " " not in text
    assert Ring(NEW).open(type(seal), text) == seal


def test_a_request_keeps_the_type_of_its_id() -> None:
    ring = Ring(NEW)
    for written in (1, "1"):
        seal = RequestSeal(upstream_id=written, session=b"", method="ping", server="s")
        opened = ring.open(RequestSeal, ring.close(seal, NONCE))
        assert opened is not None
        assert opened.upstream_id == written


def test_a_seal_of_the_previous_key_still_opens() -> None:
    text = Ring(OLD).close(SESSION, NONCE)
    assert Ring(NEW, OLD).open(SessionSeal, text) == SESSION
    assert Ring(OTHER, NEW).open(SessionSeal, text) is None


def test_the_current_key_seals() -> None:
    assert Ring(NEW).open(SessionSeal, Ring(NEW, OLD).close(SESSION, NONCE)) == SESSION


@pytest.mark.parametrize("kind", [EventSeal, RequestSeal])
def test_a_seal_of_one_kind_does_not_open_as_another(kind: type[EventSeal] | type[RequestSeal]) -> None:
    assert Ring(NEW).open(kind, Ring(NEW).close(SESSION, NONCE)) is None


def test_every_changed_character_breaks_the_seal() -> None:
    ring = Ring(NEW)
    text = ring.close(SESSION, NONCE)
    for position, letter in enumerate(text):
        changed = text[:position] + ("A" if letter != "A" else "B") + text[position + 1 :]
        assert ring.open(SessionSeal, changed) is None
    assert ring.open(SessionSeal, text[:-1]) is None
    assert ring.open(SessionSeal, text + "A") is None
    assert ring.open(SessionSeal, text + "=") is None


@pytest.mark.parametrize(
    "garbage", ["", "x", "A" * 38, "A" * 100, "ü" * 60, "+/" * 40, " " * 60, "A" * 9000, "a\n" * 40]
)
def test_garbage_opens_as_nothing(garbage: str) -> None:
    assert Ring(NEW).open(SessionSeal, garbage) is None
    assert Ring(NEW).unseal("session", garbage) is None


def test_a_payload_of_another_form_opens_as_nothing() -> None:
    ring = Ring(NEW)
    for payload in (b"\x00", b"garbage", b"\x91\x01"):
        assert ring.open(SessionSeal, ring.seal("session", payload, NONCE)) is None


def test_seals_with_different_nonces_differ() -> None:
    ring = Ring(NEW)
    assert ring.close(SESSION, bytes(12)) != ring.close(SESSION, NONCE)
    assert ring.close(SESSION, NONCE) == ring.close(SESSION, NONCE)


def test_a_usual_server_request_id_fits_into_256_characters() -> None:
    seal = RequestSeal(
        upstream_id="12345678-1234-1234-1234-123456789012",
        session=b"d" * 16,
        method="sampling/createMessage",
        server="a-server-with-a-rather-long-name",
        call_id="c" * 26,
    )
    assert len(Ring(NEW).close(seal, NONCE)) <= 256


@pytest.mark.parametrize("key", [b"", b"x" * 32, b"x" * 63, b"x" * 65])
def test_a_key_has_64_bytes(key: bytes) -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        Ring(key)


@pytest.mark.parametrize("nonce", [b"", b"x" * 11, b"x" * 16])
def test_a_nonce_has_12_bytes(nonce: bytes) -> None:
    with pytest.raises(ValueError, match="12 bytes"):
        Ring(NEW).seal("session", b"x", nonce)


def test_a_task_has_one_seal_for_one_owner_and_fits_where_clients_name_it() -> None:
    ring = Ring(b"a" * 64, b"b" * 64)
    seal = TaskSeal(upstream_id="t" * 640, owner=b"o" * 16)
    text = ring.close(seal, FIXED_NONCE)
    assert text == ring.close(seal, FIXED_NONCE)
    assert text != ring.close(TaskSeal(upstream_id=seal.upstream_id, owner=b"p" * 16), FIXED_NONCE)
    assert len(text) <= 1024
    assert ring.open(TaskSeal, text) == seal
    assert ring.open(EventSeal, text) is None
    assert ring.open(RequestSeal, text) is None
