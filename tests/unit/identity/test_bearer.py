"""Reading the credential of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.bearer import MAX_TOKEN_BYTES, credential


def cause(value: str | Unauthenticated | None) -> str:
    assert isinstance(value, Unauthenticated)
    return value.cause


@pytest.mark.parametrize("value", [b"Bearer abc", b"bearer abc", b"BEARER   abc", b" Bearer abc\t"])
def test_a_bearer_token_is_found(value: bytes) -> None:
    assert credential([(b"host", b"x"), (b"authorization", value)], b"") == "abc"


def test_a_request_without_the_header_has_no_credential() -> None:
    assert credential([(b"host", b"x")], b"a=b") is None


@pytest.mark.parametrize(
    "value", [b"", b"Bearer", b"Bearer ", b"Basic abc", b"abc", b"Bearer a b", b"Bearer \xff", b"Bearer a,b"]
)
def test_a_header_without_a_bearer_token_is_malformed(value: bytes) -> None:
    assert cause(credential([(b"authorization", value)], b"")) == "token_malformed"


def test_a_huge_token_is_not_read() -> None:
    value = b"Bearer " + b"a" * (MAX_TOKEN_BYTES + 1)
    assert cause(credential([(b"authorization", value)], b"")) == "token_malformed"


def test_two_credentials_are_refused() -> None:
    headers = [(b"authorization", b"Bearer abc"), (b"authorization", b"Bearer abc")]
    assert cause(credential(headers, b"")) == "token_repeated"


@pytest.mark.parametrize(
    "query", [b"access_token=x", b"a=1&access_token=", b"ACCESS_TOKEN=x", b"t=mcpa_abc", b"t=%6Dcpa_abc"]
)
def test_a_token_in_the_url_is_refused_even_with_a_header(query: bytes) -> None:
    refused = credential([(b"authorization", b"Bearer abc")], query)
    assert cause(refused) == "token_in_query"
    assert isinstance(refused, Unauthenticated)
    assert (refused.status, refused.error) == (400, "invalid_request")


def test_other_queries_are_no_concern_of_ours() -> None:
    assert credential([], b"my_access_token_count=1") is None


@given(st.lists(st.tuples(st.sampled_from([b"authorization", b"host"]), st.binary())), st.binary())
def test_any_headers_are_judged(headers: list[tuple[bytes, bytes]], query: bytes) -> None:
    found = credential(headers, query)
    assert found is None or isinstance(found, Unauthenticated) or found.isprintable()
