"""Section 7 of the wire rules, row by row: whether headers and body say the same."""

from typing import Any

import orjson
import pytest

from gateway.protocol.errors import HEADER_MISMATCH, INVALID_PARAMS, UNSUPPORTED_REVISION
from gateway.protocol.headers import Agreed, Headers, agree, agree_stream, read_headers
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Message, read

MODERN = "2026-07-28"
VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
META: dict[str, Any] = {VERSION: MODERN, CAPABILITIES: {}}


def headers(*lines: tuple[str, str]) -> Headers:
    read_lines = read_headers([(name.encode(), value.encode()) for name, value in lines])
    assert isinstance(read_lines, Headers)
    return read_lines


def message(method: str = "tools/list", params: dict[str, Any] | None = None, **members: Any) -> Message:
    shape = {"method": method, "params": params or {}} if "result" not in members else {}
    parsed = read(orjson.dumps({"jsonrpc": "2.0", **shape, **members}))
    assert not isinstance(parsed, Malformed), parsed
    return parsed


def modern(method: str, params: dict[str, Any] | None = None) -> Message:
    return message(method, {"_meta": META, **(params or {})}, id=7)


def lines(method: str, *more: tuple[str, str]) -> Headers:
    return headers(("MCP-Protocol-Version", MODERN), ("Mcp-Method", method), *more)


def refusal(outcome: Agreed | Malformed) -> tuple[int, int, str | int | None]:
    assert isinstance(outcome, Malformed), outcome
    return outcome.status, outcome.code, outcome.id


def test_a_modern_request_agrees() -> None:
    assert agree(lines("tools/list"), modern("tools/list")) == Agreed("modern", MODERN)


def test_a_legacy_request_speaks_its_header() -> None:
    assert agree(headers(("mcp-protocol-version", "2025-06-18")), message(id=1)) == Agreed("legacy", "2025-06-18")


def test_a_legacy_request_without_a_header_speaks_its_session_or_2025_03_26() -> None:
    assert agree(headers(), message(id=1)) == Agreed("legacy", "2025-03-26")
    assert agree(headers(), message(id=1), negotiated="2025-11-25") == Agreed("legacy", "2025-11-25")


@pytest.mark.parametrize(
    ("asked", "judged"),
    [("2025-06-18", "2025-06-18"), ("2024-11-05", "2024-11-05"), ("2099-01-01", "2025-11-25"), (MODERN, "2025-11-25")],
)
def test_initialize_speaks_what_its_body_asks_for(asked: str, judged: str) -> None:
    assert agree(headers(), message("initialize", {"protocolVersion": asked}, id=1)) == Agreed("legacy", judged)


def test_initialize_without_a_revision_is_refused() -> None:
    assert refusal(agree(headers(), message("initialize", {}, id=1))) == (400, INVALID_PARAMS, 1)


@pytest.mark.parametrize("version", [None, "2025-03-26", "2025-11-25"])
@pytest.mark.parametrize("meta", [META, {VERSION: MODERN}, {CAPABILITIES: {}}])
def test_a_modern_body_under_an_absent_or_legacy_header_is_refused(version: str | None, meta: dict[str, Any]) -> None:
    given = headers(("mcp-protocol-version", version)) if version else headers()
    assert refusal(agree(given, message(params={"_meta": meta}, id=1))) == (400, HEADER_MISMATCH, 1)


@pytest.mark.parametrize("meta", [None, {}, {VERSION: MODERN}, {CAPABILITIES: {}}, {VERSION: MODERN, CAPABILITIES: []}])
def test_a_modern_request_without_its_metadata_is_refused(meta: dict[str, Any] | None) -> None:
    params = {} if meta is None else {"_meta": meta}
    assert refusal(agree(lines("tools/list"), message(params=params, id=7))) == (400, INVALID_PARAMS, 7)


@pytest.mark.parametrize("claimed", ["2025-11-25", "2026-07-29", None, 5])
def test_a_header_that_differs_from_the_metadata_is_refused(claimed: Any) -> None:
    body = message(params={"_meta": {VERSION: claimed, CAPABILITIES: {}}}, id=7)
    assert refusal(agree(lines("tools/list"), body)) == (400, HEADER_MISMATCH, 7)


@pytest.mark.parametrize("version", ["2099-01-01", "1.0", "2026-07-28 ,2025-11-25"])
def test_an_unknown_revision_is_refused_with_the_known_ones(version: str) -> None:
    body = message(params={"_meta": {VERSION: version, CAPABILITIES: {}}}, id=7)
    outcome = agree(headers(("mcp-protocol-version", version), ("mcp-method", "tools/list")), body)
    assert refusal(outcome) == (400, UNSUPPORTED_REVISION, 7)
    assert isinstance(outcome, Malformed)
    assert outcome.data == {"supported": [MODERN], "requested": version}


def test_a_legacy_revision_in_modern_form_is_unsupported() -> None:
    body = message(params={"_meta": {VERSION: "2025-11-25", CAPABILITIES: {}}}, id=7)
    outcome = agree(headers(("mcp-protocol-version", "2025-11-25")), body)
    assert refusal(outcome) == (400, UNSUPPORTED_REVISION, 7)


@pytest.mark.parametrize("method", ["tools/call", "Tools/list", ""])
def test_mcp_method_must_say_the_method(method: str) -> None:
    assert refusal(agree(lines(method), modern("tools/list"))) == (400, HEADER_MISMATCH, 7)


def test_mcp_method_may_not_be_missing_in_the_modern_era() -> None:
    given = headers(("mcp-protocol-version", MODERN))
    assert refusal(agree(given, modern("tools/list"))) == (400, HEADER_MISMATCH, 7)


def test_mcp_method_may_not_contradict_a_legacy_body() -> None:
    outcome = agree(headers(("mcp-method", "ping")), message("tools/call", {"name": "x"}, id=1))
    assert refusal(outcome) == (400, HEADER_MISMATCH, 1)


NAMED = [
    ("tools/call", {"name": "echo"}, "echo"),
    ("prompts/get", {"name": "echo"}, "echo"),
    ("resources/read", {"uri": "file:///ä"}, "=?base64?ZmlsZTovLy/DpA==?="),
    ("tasks/get", {"taskId": "t-1"}, "t-1"),
]


@pytest.mark.parametrize(("method", "params", "name"), NAMED)
def test_mcp_name_says_the_target(method: str, params: dict[str, str], name: str) -> None:
    assert agree(lines(method, ("mcp-name", name)), modern(method, params)) == Agreed("modern", MODERN)


@pytest.mark.parametrize(("method", "params", "name"), NAMED)
def test_mcp_name_may_not_say_another_target(method: str, params: dict[str, str], name: str) -> None:
    outcome = agree(lines(method, ("mcp-name", name + "x")), modern(method, params))
    assert refusal(outcome) == (400, HEADER_MISMATCH, 7)


@pytest.mark.parametrize(("method", "params", "name"), NAMED[:3])
def test_mcp_name_may_not_be_missing(method: str, params: dict[str, str], name: str) -> None:
    assert refusal(agree(lines(method), modern(method, params))) == (400, HEADER_MISMATCH, 7)


def test_mcp_name_in_an_encoding_that_is_not_canonical_is_refused() -> None:
    outcome = agree(lines("tools/call", ("mcp-name", "=?base64?QR==?=")), modern("tools/call", {"name": "A"}))
    assert refusal(outcome) == (400, HEADER_MISMATCH, 7)


def test_mcp_name_may_be_missing_but_not_wrong_in_the_legacy_era() -> None:
    body = message("tools/call", {"name": "echo"}, id=1)
    assert agree(headers(), body) == Agreed("legacy", "2025-03-26")
    assert agree(headers(("mcp-name", "echo")), body) == Agreed("legacy", "2025-03-26")
    assert refusal(agree(headers(("mcp-name", "other")), body)) == (400, HEADER_MISMATCH, 1)


def test_mcp_name_where_nothing_is_named_is_refused() -> None:
    outcome = agree(lines("tools/list", ("mcp-name", "echo")), modern("tools/list"))
    assert refusal(outcome) == (400, HEADER_MISMATCH, 7)


def test_an_unknown_method_is_left_to_the_table() -> None:
    assert agree(lines("no/such", ("mcp-name", "x")), modern("no/such")) == Agreed("modern", MODERN)


def test_a_modern_notification_needs_only_its_version() -> None:
    assert agree(headers(("mcp-protocol-version", MODERN)), message("notifications/x")) == Agreed("modern", MODERN)
    outcome = agree(headers(("mcp-protocol-version", MODERN), ("mcp-method", "y")), message("notifications/x"))
    assert refusal(outcome) == (400, HEADER_MISMATCH, None)


def test_a_response_belongs_to_the_legacy_era() -> None:
    response = message(id=1, result={})
    assert agree(headers(), response, negotiated="2025-11-25") == Agreed("legacy", "2025-11-25")
    assert agree(headers(), response) == Agreed("legacy", "2025-03-26")
    assert isinstance(agree(headers(("mcp-protocol-version", MODERN)), response), Malformed)
    assert isinstance(agree(headers(("mcp-protocol-version", "2020-01-01")), response), Malformed)


def test_metadata_that_is_no_object_is_refused_in_every_era() -> None:
    assert refusal(agree(headers(), message(params={"_meta": []}, id=1))) == (400, INVALID_PARAMS, 1)


def test_the_modern_era_has_no_get_and_no_delete() -> None:
    outcome = agree_stream(headers(("mcp-protocol-version", MODERN)))
    assert isinstance(outcome, Malformed)
    assert outcome.status == 405
    assert agree_stream(headers(("mcp-protocol-version", "2025-11-25"))) == Agreed("legacy", "2025-11-25")
    assert agree_stream(headers(), negotiated="2025-06-18") == Agreed("legacy", "2025-06-18")
