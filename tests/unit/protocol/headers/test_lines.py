"""What header lines may say, and what of it travels."""

import base64

import pytest

from gateway.protocol.errors import HEADER_MISMATCH, INVALID_REQUEST
from gateway.protocol.headers import Headers, decode_value, forwardable, read_headers, unpostable, unstreamable
from gateway.protocol.malformed import Malformed


def headers(**values: str) -> Headers:
    read = read_headers([(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in values.items()])
    assert isinstance(read, Headers), read
    return read


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("MCP-Protocol-Version", HEADER_MISMATCH),
        ("Mcp-Method", HEADER_MISMATCH),
        ("Mcp-Name", HEADER_MISMATCH),
        ("Mcp-Session-Id", HEADER_MISMATCH),
        ("Mcp-Param-Region", HEADER_MISMATCH),
        ("Authorization", INVALID_REQUEST),
        ("Content-Type", INVALID_REQUEST),
        ("Host", INVALID_REQUEST),
        ("Origin", INVALID_REQUEST),
        ("Last-Event-ID", INVALID_REQUEST),
    ],
)
def test_a_header_that_decides_comes_once(name: str, code: int) -> None:
    problem = read_headers([(name.encode(), b"a"), (name.lower().encode(), b"a")])
    assert isinstance(problem, Malformed)
    assert (problem.fault, problem.code, problem.status) == ("duplicate_header", code, 400)


def test_other_headers_may_repeat_and_are_joined() -> None:
    read = read_headers([(b"accept", b"application/json"), (b"Accept", b"text/event-stream")])
    assert isinstance(read, Headers)
    assert read.get("accept") == "application/json, text/event-stream"


def test_spaces_and_tabs_around_a_value_are_trimmed() -> None:
    assert headers(mcp_method=" \ttools/list \t").get("mcp-method") == "tools/list"


@pytest.mark.parametrize("value", [b"a\x00b", b"a\x7fb", b"caf\xc3\xa9", b"a\nb"])
@pytest.mark.parametrize(("name", "code"), [(b"mcp-param-x", HEADER_MISMATCH), (b"accept", INVALID_REQUEST)])
def test_characters_that_no_header_may_have_are_refused(value: bytes, name: bytes, code: int) -> None:
    problem = read_headers([(name, value)])
    assert isinstance(problem, Malformed)
    assert (problem.code, problem.status) == (code, 400)


def test_an_oversized_header_is_refused_before_it_is_decoded() -> None:
    problem = read_headers([(b"mcp-name", b"=?base64?" + b"A" * 8192 + b"?=")])
    assert isinstance(problem, Malformed)
    assert (problem.fault, problem.status) == ("headers_too_large", 431)


def test_all_headers_together_are_bounded() -> None:
    problem = read_headers([(b"x-%d" % number, b"a" * 4000) for number in range(20)])
    assert isinstance(problem, Malformed)
    assert problem.status == 431


@pytest.mark.parametrize("text", ["us-west1", " =?base64?QQ==?=", "=?BASE64?QQ==?=", "=?base64?", ""])
def test_a_value_without_the_sentinel_stands_for_itself(text: str) -> None:
    assert decode_value(text) == text


@pytest.mark.parametrize("text", ["Hello, 世界", " padded ", "line1\nline2", "=?base64?literal?=", ""])
def test_an_encoded_value_is_decoded(text: str) -> None:
    assert decode_value(f"=?base64?{base64.b64encode(text.encode()).decode()}?=") == text


@pytest.mark.parametrize("payload", ["QQ", "QR==", "Q Q==", "QQ==\n", "_-==", "gA==", "é", "QQ===", "====="])
def test_an_encoded_value_is_decoded_strictly(payload: str) -> None:
    assert decode_value(f"=?base64?{payload}?=") is None


@pytest.mark.parametrize("value", ["gzip", "identity", "br", ""])
def test_an_encoded_body_is_refused(value: str) -> None:
    problem = unpostable(headers(content_type="application/json", content_encoding=value))
    assert problem is not None
    assert problem.status == 415


@pytest.mark.parametrize(
    "value",
    ["application/json", "Application/JSON", "application/json; charset=utf-8", 'application/json;charset="UTF-8"'],
)
def test_json_in_utf_8_may_be_posted(value: str) -> None:
    assert unpostable(headers(content_type=value)) is None


@pytest.mark.parametrize(
    "value",
    [
        "text/plain",
        "application/json, text/plain",
        "application/jsonp",
        "application/json; charset=utf-16",
        "text/json",
        "",
    ],
)
def test_other_media_types_are_refused(value: str) -> None:
    problem = unpostable(headers(content_type=value))
    assert problem is not None
    assert problem.status == 415


def test_a_body_without_a_media_type_is_refused() -> None:
    assert unpostable(headers()) is not None


@pytest.mark.parametrize(
    "accept", ["application/json, text/event-stream", "*/*", "Application/*;q=0.5", "text/html, */*"]
)
def test_a_client_that_takes_json_may_post(accept: str) -> None:
    assert unpostable(headers(content_type="application/json", accept=accept)) is None


@pytest.mark.parametrize("accept", ["text/html", "text/event-stream", ""])
def test_a_client_that_takes_no_json_may_not_post(accept: str) -> None:
    problem = unpostable(headers(content_type="application/json", accept=accept))
    assert problem is not None
    assert problem.status == 406


def test_a_client_that_takes_no_stream_opens_none() -> None:
    assert unstreamable(headers(accept="text/event-stream")) is None
    problem = unstreamable(headers(accept="application/json"))
    assert problem is not None
    assert problem.status == 406


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_only_the_allow_list_travels() -> None:
    kept = forwardable(
        headers(
            accept="*/*",
            authorization="Bearer secret",
            cookie="a=b",
            origin="https://evil.example",
            host="gateway",
            x_forwarded_for="1.2.3.4",
            connection="mcp-name",
            mcp_session_id="sealed",
            last_event_id="sealed",
            mcp_other="x",
            content_type="application/json",
            mcp_protocol_version="2026-07-28",
            mcp_method="tools/call",
            mcp_name="echo",
            mcp_param_region="eu",
            traceparent=TRACE,
            tracestate="a=b",
            baggage="c=d",
        ),
        "modern",
    )
    assert [name for name, _ in kept] == [
        "accept",
        "content-type",
        "mcp-protocol-version",
        "mcp-method",
        "mcp-name",
        "mcp-param-region",
        "traceparent",
        "tracestate",
        "baggage",
    ]


def test_parameters_that_nobody_verifies_do_not_travel_in_the_legacy_era() -> None:
    assert forwardable(headers(mcp_param_region="eu", accept="*/*"), "legacy") == (("accept", "*/*"),)


@pytest.mark.parametrize("trace", ["x", TRACE.upper(), TRACE + "-x", "ff" + TRACE[2:], "00-" + "0" * 32 + TRACE[35:]])
def test_a_malformed_trace_does_not_travel(trace: str) -> None:
    assert forwardable(headers(traceparent=trace, baggage="a=b"), "modern") == ()


def test_baggage_that_is_not_plain_text_does_not_travel() -> None:
    assert forwardable(headers(traceparent=TRACE, baggage="a=\xe9"), "modern") == (("traceparent", TRACE),)
