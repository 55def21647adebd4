"""Every row of PROTOCOL.md section 7 on a real socket: what two readers could read differently reaches nobody.

Rule 1: each case names the answer that is wanted, and shows an empty upstream and one record in the journal.
"""

import base64
from collections.abc import AsyncGenerator
from typing import Final

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, standing
from tests.faults.smuggled import BODIES, CALL, CUT, FRAMED, HEADER, INSIDE, OLD, REQUEST, TWICE, WHOLE
from tests.faults.wire import Got, Lines, call, modern

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    async with standing(tmp_path_factory.mktemp("gateway")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def behind(shared: Behind) -> AsyncGenerator[Behind]:
    """The shared gateway; afterwards it serves a call as ever."""
    shared.server.begin()
    yield shared
    shared.server.begin()
    assert (await shared.line.called()).message["result"]["content"] == []
    assert len(shared.server.effects) == 1


async def refused(behind: Behind, got: Got, before: set[str], status: int, code: int) -> None:
    """Hold an answer to what is wanted, and its message to no effect."""
    assert (got.status, got.json["error"]["code"]) == (status, code), got
    await untouched(behind, got, before)


async def untouched(behind: Behind, got: Got, before: set[str]) -> None:
    """Hold the server to nothing, and the journal to one record."""
    assert "Traceback" not in got.body.decode()
    assert behind.server.effects == []
    record = await behind.one_more_than(before)
    assert record["kind"] == "refused" or record["outcome"] == "deny"


@pytest.mark.parametrize("case", BODIES)
async def test_a_body_that_readers_differ_about_goes_nowhere(behind: Behind, case: str) -> None:
    body, headers, status, code = BODIES[case]
    before = behind.known()
    got = await behind.line.post(body, *headers)
    if case in INSIDE:
        assert (got.status, got.reason, got.json["result"]["isError"]) == (200, "message_malformed", True)
        await untouched(behind, got, before)
    else:
        await refused(behind, got, before, status, code)


@pytest.mark.parametrize("name", TWICE)
async def test_a_header_that_decides_comes_once(behind: Behind, name: str) -> None:
    value, code = TWICE[name]
    lines = CALL if name in dict(CALL) else (*CALL, (name, value))
    before = behind.known()
    await refused(behind, await behind.line.post(call(), *lines, (name.lower(), value)), before, 400, code)


@pytest.mark.parametrize(("name", "value"), [("Host", "evil.example"), ("Origin", "http://evil.example")])
async def test_a_second_host_or_origin_is_refused_at_the_door(behind: Behind, name: str, value: str) -> None:
    own = (("Origin", f"http://{behind.line.host}:{behind.line.port}"),) if name == "Origin" else ()
    got = await behind.line.post(call(), *CALL, *own, (name, value))
    assert got.status in {400, 403}
    assert behind.server.effects == []


async def test_a_foreign_origin_is_refused_and_recorded(behind: Behind) -> None:
    before = behind.known()
    got = await behind.line.post(call(), *CALL, ("Origin", "http://evil.example"))
    await refused(behind, got, before, 403, REQUEST)


@pytest.mark.parametrize(
    "name", ["=?base64?ZWNobw?=", "=?base64?ZWNobx==?=", "=?base64?ZWNo bw==?=", "=?base64?/w==?="]
)
async def test_a_name_in_base64_is_canonical(behind: Behind, name: str) -> None:
    before = behind.known()
    await refused(behind, await behind.line.post(call(), *modern("tools/call", name)), before, 400, HEADER)


async def test_a_name_in_canonical_base64_is_the_name(behind: Behind) -> None:
    name = f"=?base64?{base64.b64encode(b'echo').decode()}?="
    assert (await behind.line.post(call(), *modern("tools/call", name))).status == 200
    assert len(behind.server.effects) == 1
    behind.server.begin()


@pytest.mark.parametrize("case", CUT)
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_a_body_that_is_cut_after_what_parses_goes_nowhere(behind: Behind, case: str, era: str) -> None:
    headers, body = (CALL, call()) if era == "modern" else (OLD, WHOLE.encode())
    head = behind.line.head((*headers, ("Transfer-Encoding", "chunked")))
    before = behind.known()
    got = await behind.line.exchange(head + b"%x\r\n%s\r\n" % (len(body), body) + CUT[case], then_eof=True)
    assert got.status in {0, 400}
    assert (await behind.one_more_than(before))["code"] == "body_incomplete"
    assert behind.server.effects == []


async def test_a_body_shorter_than_announced_goes_nowhere(behind: Behind) -> None:
    before, body = behind.known(), call()
    head = behind.line.head((*CALL, ("Content-Length", str(len(body) + 1))))
    assert (await behind.line.exchange(head + body, then_eof=True)).status in {0, 400}
    assert (await behind.one_more_than(before))["code"] == "body_incomplete"
    assert behind.server.effects == []


@pytest.mark.parametrize("case", FRAMED)
async def test_framing_that_readers_differ_about_goes_nowhere(behind: Behind, case: str) -> None:
    lines, body = FRAMED[case]
    smuggled = behind.line.head(CALL) + call()
    got = await behind.line.exchange(behind.line.head((*CALL, *lines)) + body + smuggled, then_eof=True)
    assert got.status in {0, 400, 415}
    assert behind.server.effects == []


async def test_what_follows_a_refused_body_is_not_taken_for_a_request(behind: Behind) -> None:
    inner = _kept_alive(behind, CALL) + call()
    lines = (("Content-Type", "text/plain"), *(line for line in CALL if line[0] != "Content-Type"))
    outer = behind.line.head((*lines, ("Content-Length", str(len(inner))))).replace(CLOSE, b"") + inner
    got = await behind.line.exchange(outer + behind.line.head((), verb="PUT"))
    assert got.status == 415
    assert behind.server.effects == []


CLOSE: Final = b"Connection: close\r\n"


def _kept_alive(behind: Behind, headers: Lines) -> bytes:
    """Return the head of a call after which the connection stays."""
    return behind.line.head((*headers, ("Content-Length", str(len(call()))))).replace(CLOSE, b"")


async def test_a_call_without_an_id_is_refused_and_not_executed(behind: Behind) -> None:
    before = behind.known()
    got = await behind.line.post(WHOLE.replace('"id":1,', "").encode(), *OLD)
    assert got.status == 202
    assert behind.server.effects == []
    record = await behind.one_more_than(before)
    assert (record["kind"], record["code"], record["method"]) == ("refused", "method_unknown", "tools/call")


async def test_the_clients_own_headers_stay_here(behind: Behind) -> None:
    lines = (("Cookie", "a=b"), ("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=1.2.3.4"), ("X-Own", "1"))
    own = ("Origin", f"http://{behind.line.host}:{behind.line.port}")
    assert (await behind.line.called("echo", {}, *lines, own, ("Mcp-Session-Id", "fixed"))).status == 200
    sent = {name for name, _ in behind.server.effects[0].headers}
    allowed = {"host", "accept", "accept-encoding", "content-type", "content-length", "user-agent", "connection"}
    assert sent <= allowed | {"mcp-protocol-version", "mcp-method", "mcp-name"}
    behind.server.begin()


async def test_a_session_that_the_client_chose_is_unknown(behind: Behind) -> None:
    got = await behind.line.legacy("tools/list", {}, ("Mcp-Session-Id", "fixed"))
    assert (got.status, got.reason) == (404, "session_unknown")
    assert behind.server.received == []


async def test_many_at_once_on_one_connection_are_each_judged_alone(behind: Behind) -> None:
    good, bad = (_kept_alive(behind, modern("tools/call", name)) + call() for name in ("echo", "delete"))
    last = behind.line.head((*CALL, ("Content-Length", str(len(call()))))) + call()
    got = await behind.line.exchange(good + bad + good + bad + last)
    assert got.body.count(b"HTTP/1.1 400") == 2
    assert got.body.count(b"HTTP/1.1 200") == 2
    assert [received.json["params"]["name"] for received in behind.server.effects] == ["echo"] * 3
