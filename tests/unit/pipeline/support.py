"""A verified call of a tool, for tests of single pipeline steps."""

from typing import Any, Final

import orjson

from gateway.admission.inbound_message import Inbound
from gateway.admission.policy_input import Client
from gateway.protocol.headers import Headers
from gateway.protocol.message import Request
from gateway.protocol.methods import METHODS, target_of
from gateway.protocol.revisions import era_of
from tests.fakes import CALLER

_CALL: Final = next(row for row in METHODS if row.name == "tools/call")


def tool_call(params: dict[str, Any] | None = None, *, revision: str = "2026-07-28") -> Inbound:
    """Return a call of the tool `read` with these additional parameters."""
    given = {"name": "read"} | (params or {})
    raw = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": given})
    place = target_of(_CALL, given)
    assert place is not None
    return Inbound(
        verb="POST",
        server="files",
        message=Request(id=1, method="tools/call", params=given, raw=raw),
        method=_CALL,
        place=place,
        era=era_of(revision) or "modern",
        revision=revision,
        principal=CALLER,
        client=Client(),
        source_ip="192.0.2.1",
        headers=(),
        shown={},
        names=Headers({}),
    )
