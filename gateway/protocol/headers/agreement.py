"""Agreement of a request's headers with its body, which gives the era and revision of the request.

Rule 1: the body is authoritative. A header that disagrees with it refuses the message; it never decides (SEP-2243).
Rule 2: a message speaks one era: a modern body under a legacy header, or without one, is refused (PROTOCOL section 7).
Rule 3: a contradiction within a request is reported before an unknown revision.
"""

from typing import Any, Final, cast

from msgspec import Struct

from gateway.protocol.errors import HEADER_MISMATCH, INVALID_PARAMS, INVALID_REQUEST, UNSUPPORTED_REVISION
from gateway.protocol.headers.lines import Headers, decode_value
from gateway.protocol.malformed import Fault, Malformed
from gateway.protocol.message import Message, Notification, Request, Response
from gateway.protocol.methods import lookup
from gateway.protocol.revisions import MODERN, WITHOUT_HEADER, Era, era_of, offered

_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"
_MODERN_KEYS: Final = frozenset({_VERSION, _CAPABILITIES, "io.modelcontextprotocol/clientInfo"})


class Agreed(Struct, frozen=True):
    """The era and revision on which headers and body agree."""

    era: Era
    revision: str


def agree(headers: Headers, message: Message, *, negotiated: str | None = None) -> Agreed | Malformed:
    """Return the revision of a POST; `negotiated` is the one with which its session was opened, if it has a session."""
    version = headers.get("mcp-protocol-version")
    if type(message) is Response:
        return _agree_response(version, negotiated)
    call = cast("Request | Notification", message)
    meta = call.params.get("_meta", {})
    if type(meta) is not dict:
        return _refused("metadata", INVALID_PARAMS, "params._meta must be an object", call)
    meta = cast("dict[str, Any]", meta)
    era = "legacy" if version is None else era_of(version)
    if version is None or era == "legacy":
        return _agree_legacy(headers, call, meta, negotiated)
    if meta.get(_VERSION, version) != version:
        return _refused("era", HEADER_MISMATCH, "MCP-Protocol-Version differs from the revision in params._meta", call)
    return _unsupported(version, call) if era is None else _agree_modern(headers, call, meta, version)


def agree_stream(headers: Headers, *, negotiated: str | None = None) -> Agreed | Malformed:
    """Return the revision of a GET or DELETE; the modern era has neither."""
    version = headers.get("mcp-protocol-version")
    if version is not None and era_of(version) == "modern":
        reason = f"revision {version} has neither streams to open nor sessions to close; use POST"
        return Malformed(fault="verb", code=INVALID_REQUEST, status=405, reason=reason)
    return _agree_response(version, negotiated)


def _agree_response(version: str | None, negotiated: str | None) -> Agreed | Malformed:
    era = "legacy" if version is None else era_of(version)
    if era == "modern":
        reason = "this revision has no responses from clients; answer inside the retried request"
        return Malformed(fault="era", code=INVALID_REQUEST, reason=reason)
    if era is None:
        return _unsupported(str(version), None)
    return Agreed("legacy", version or negotiated or WITHOUT_HEADER)


def _agree_legacy(
    headers: Headers, call: Request | Notification, meta: dict[str, Any], negotiated: str | None
) -> Agreed | Malformed:
    version = headers.get("mcp-protocol-version")
    if meta and not meta.keys().isdisjoint(_MODERN_KEYS):
        if version is not None and meta.get(_VERSION) == version:
            return _unsupported(version, call)
        reason = "params._meta is of a revision whose MCP-Protocol-Version header is missing or names another one"
        return _refused("era", HEADER_MISMATCH, reason, call)
    revision = version or negotiated or WITHOUT_HEADER
    if call.method == "initialize":
        asked = call.params.get("protocolVersion")
        if type(asked) is not str:
            return _refused("metadata", INVALID_PARAMS, "initialize needs params.protocolVersion, a string", call)
        revision = offered(asked)
    if headers.get("mcp-method") not in {None, call.method}:
        return _refused("header_mismatch", HEADER_MISMATCH, "Mcp-Method differs from the body's method", call)
    return _misnamed(headers, call, revision, required=False) or Agreed("legacy", revision)


def _agree_modern(
    headers: Headers, call: Request | Notification, meta: dict[str, Any], revision: str
) -> Agreed | Malformed:
    asks = type(call) is Request
    if asks and (_VERSION not in meta or type(meta.get(_CAPABILITIES)) is not dict):
        reason = f"params._meta needs {_VERSION}, a string, and {_CAPABILITIES}, an object"
        return _refused("metadata", INVALID_PARAMS, reason, call)
    method = headers.get("mcp-method")
    if method != call.method and (asks or method is not None):
        return _refused("header_mismatch", HEADER_MISMATCH, "Mcp-Method is missing or differs from the body", call)
    return _misnamed(headers, call, revision, required=asks) or Agreed("modern", revision)


def _misnamed(headers: Headers, call: Request | Notification, revision: str, *, required: bool) -> Malformed | None:
    """Return the fault of `Mcp-Name`; an unknown method is refused as such, not here."""
    name, row = headers.get("mcp-name"), lookup(call.method, direction="client", revision=revision)
    if row is None:
        return None
    expected = call.params.get(row.field) if row.named_by != "no" else None
    if name is None:
        if required and row.named_by == "required" and type(expected) is str:
            return _refused("header_mismatch", HEADER_MISMATCH, f"{row.name} needs the header Mcp-Name", call)
        return None
    if type(expected) is not str or decode_value(name) != expected:
        return _refused("header_mismatch", HEADER_MISMATCH, "Mcp-Name differs from the body", call)
    return None


def _unsupported(requested: str, call: Request | Notification | None) -> Malformed:
    return Malformed(
        fault="revision",
        code=UNSUPPORTED_REVISION,
        reason="Unsupported protocol version",
        id=call.id if type(call) is Request else None,
        data={"supported": list(MODERN), "requested": requested[:64]},
    )


def _refused(fault: Fault, code: int, reason: str, call: Request | Notification) -> Malformed:
    return Malformed(fault=fault, code=code, reason=reason, id=call.id if type(call) is Request else None)
