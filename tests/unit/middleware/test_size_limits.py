"""Size limits of heads and bodies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.middleware import SizeLimits
from tests.unit.middleware.support import Inner, Lines, Noticed, asked


def limited(inner: Inner, noticed: Noticed) -> SizeLimits:
    return SizeLimits(inner, noticed, body_bytes=10, header_bytes=200, headers=5)


async def test_a_small_request_passes_completely() -> None:
    inner = Inner()
    sent = await asked(limited(inner, Noticed()), [(b"content-length", b"10")], b"12345", b"67890")
    assert sent[0]["status"] == 200
    assert inner.bodies == [b"1234567890"]


@pytest.mark.parametrize("length", [b"11", b"9" * 5000, b"-1", b"1e1", b"", "²".encode()])
async def test_a_body_that_announces_too_much_is_not_read(length: bytes) -> None:
    inner, noticed = Inner(), Noticed()
    app = SizeLimits(inner, noticed, body_bytes=10, header_bytes=10_000, headers=5)
    sent = await asked(app, [(b"content-length", length)], b"x")
    assert (sent[0]["status"], inner.scopes, noticed.codes) == (413, [], ["body_too_large"])


async def test_a_body_that_announces_nothing_is_counted() -> None:
    inner, noticed = Inner(), Noticed()
    sent = await asked(limited(inner, noticed), [], b"12345", b"67890", b"1")
    assert sent[0]["status"] == 413
    assert len(sent) == 2
    assert inner.bodies == [None]
    assert noticed.codes == ["body_too_large"]


async def test_a_body_larger_than_announced_is_counted() -> None:
    sent = await asked(limited(Inner(), Noticed()), [(b"content-length", b"1")], b"12345678901")
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("headers", [[(b"a", b"b")] * 6, [(b"a", b"x" * 200)], [(b"x" * 100, b"y" * 100)]])
async def test_a_large_head_is_refused(headers: Lines) -> None:
    inner, noticed = Inner(), Noticed()
    sent = await asked(limited(inner, noticed), headers)
    assert (sent[0]["status"], inner.scopes, noticed.codes) == (431, [], ["head_too_large"])


LINES = st.tuples(
    st.sampled_from([b"content-length", b"a"]),
    st.sampled_from([b"10", b" 9\t", b"11", b"-1", b"1_0", b"", b"\xb2", b"0" * 18, b"0" * 19])
    | st.binary(max_size=60),
)


@given(st.lists(LINES, max_size=7), st.binary(max_size=20))
async def test_a_head_is_refused_for_its_size_first_and_then_for_any_length_of_its_body(
    headers: Lines, query: bytes
) -> None:
    inner, noticed = Inner(), Noticed()
    await asked(limited(inner, noticed), headers, query_string=query)
    size = len(query) + sum(len(name) + len(value) + 4 for name, value in headers)
    lengths = [value.strip(b" \t").decode("latin-1") for name, value in headers if name == b"content-length"]
    if size > 200 or len(headers) > 5:
        assert noticed.codes == ["head_too_large"]
    elif any(len(text) > 18 or not text.isdecimal() or int(text) > 10 for text in lengths):
        assert noticed.codes == ["body_too_large"]
    else:
        assert (noticed.codes, len(inner.scopes)) == ([], 1)


async def test_a_long_address_is_part_of_the_head() -> None:
    sent = await asked(limited(Inner(), Noticed()), [], raw_path=b"/" * 100, query_string=b"q" * 101)
    assert sent[0]["status"] == 431


@given(st.lists(st.binary(max_size=6), min_size=1, max_size=5))
async def test_a_body_goes_on_exactly_when_it_is_small_enough(chunks: list[bytes]) -> None:
    inner = Inner()
    sent = await asked(limited(inner, Noticed()), [], *chunks)
    whole = b"".join(chunks)
    assert (sent[0]["status"] == 200) == (len(whole) <= 10)
    assert inner.bodies == [whole if len(whole) <= 10 else None]


async def test_other_scopes_pass() -> None:
    inner = Inner()
    await asked(limited(inner, Noticed()), [], type="lifespan")
    assert len(inner.scopes) == 1
