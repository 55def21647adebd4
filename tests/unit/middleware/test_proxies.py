"""Addresses of callers behind proxies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.middleware import Proxies
from tests.unit.middleware.support import Inner, asked

TRUSTED = ("10.0.0.0/8", "fd00::/8")


async def seen(peer: str | None, *forwarded: bytes, trusted: tuple[str, ...] = TRUSTED) -> str | None:
    inner = Inner()
    headers = [(b"x-forwarded-for", value) for value in forwarded]
    await asked(Proxies(inner, trusted), headers, client=(peer, 1) if peer else None)
    client = inner.scopes[0]["client"]
    return client[0] if client else None


@pytest.mark.parametrize(
    ("peer", "forwarded", "wanted"),
    [
        ("10.0.0.9", (b"203.0.113.7",), "203.0.113.7"),
        ("10.0.0.9", (b"203.0.113.7, 10.0.0.2",), "203.0.113.7"),
        ("10.0.0.9", (b"203.0.113.7", b"10.0.0.2"), "203.0.113.7"),
        ("10.0.0.9", (b"1.1.1.1, 203.0.113.7",), "203.0.113.7"),
        ("10.0.0.9", (b"10.0.0.1, 10.0.0.2",), "10.0.0.1"),
        ("10.0.0.9", (b"1.1.1.1, unknown, 10.0.0.2",), "10.0.0.2"),
        ("10.0.0.9", (b"unknown",), "10.0.0.9"),
        ("10.0.0.9", (), "10.0.0.9"),
        ("10.0.0.9", (b"203.0.113.7:4711",), "203.0.113.7"),
        ("fd00::1", (b"[2001:db8::1]:80",), "2001:db8::1"),
        ("10.0.0.9", (b"2001:db8::1",), "2001:db8::1"),
        ("::ffff:10.0.0.9", (b"::ffff:203.0.113.7",), "203.0.113.7"),
        ("198.51.100.1", (b"203.0.113.7",), "198.51.100.1"),
        (None, (b"203.0.113.7",), None),
        ("gateway.sock", (b"203.0.113.7",), "gateway.sock"),
    ],
)
async def test_the_caller_is_the_nearest_address_that_is_not_a_trusted_proxy(
    peer: str | None, forwarded: tuple[bytes, ...], wanted: str | None
) -> None:
    assert await seen(peer, *forwarded) == wanted


async def test_no_peer_is_trusted_if_no_proxy_is_configured() -> None:
    assert await seen("127.0.0.1", b"203.0.113.7", trusted=()) == "127.0.0.1"


@pytest.mark.parametrize("trusted", [(), TRUSTED])
@pytest.mark.parametrize(
    ("peer", "wanted"),
    [
        ("::ffff:198.51.100.1", "198.51.100.1"),
        ("::FFFF:c633:6401", "198.51.100.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:unknown", "::ffff:unknown"),
        (None, None),
    ],
)
async def test_an_address_of_ipv4_in_its_ipv6_form_is_the_ipv4_address(
    trusted: tuple[str, ...], peer: str | None, wanted: str | None
) -> None:
    assert await seen(peer, trusted=trusted) == wanted


@given(st.binary())
async def test_any_header_is_judged(value: bytes) -> None:
    assert await seen("10.0.0.9", value)
    assert await seen("198.51.100.1", value) == "198.51.100.1"
