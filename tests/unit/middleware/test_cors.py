"""Requests and answers of pages from allowed origins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.middleware import AllowedHosts, CrossOrigin, HostAndOrigin, SizeLimits
from tests.unit.middleware.support import Inner, Lines, Noticed, asked

NAMES = AllowedHosts("https://mcp.example.com", hosts=(), origins=("https://console.example.com",), loopback=False)
HOST = (b"host", b"mcp.example.com")
CONSOLE = (b"origin", b"https://console.example.com")
MINE = "https://console.example.com"
WANTS = (b"access-control-request-method", b"POST")


def guarded(inner: Inner) -> HostAndOrigin:
    sized = SizeLimits(inner, Noticed(), body_bytes=10, header_bytes=4000, headers=20)
    return HostAndOrigin(CrossOrigin(sized, ("X-Team",)), Noticed(), NAMES)


async def answered(headers: Lines, *chunks: bytes, inner: Inner | None = None, **scope: str) -> dict[str, str]:
    """Return status and headers of the answer, as text."""
    sent = await asked(guarded(inner or Inner()), [HOST, *headers], *chunks, **scope)
    found = {"status": str(sent[0]["status"])}
    for name, value in sent[0]["headers"]:
        assert name.decode() not in found
        found[name.decode()] = value.decode()
    return found


async def preflight(wanted: str, *more: tuple[bytes, bytes]) -> dict[str, str]:
    line = (b"access-control-request-headers", wanted.encode())
    inner = Inner()
    found = await answered([CONSOLE, WANTS, line, *more], inner=inner, method="OPTIONS")
    assert inner.scopes == []
    return found


async def test_a_preflight_is_answered_without_the_endpoint() -> None:
    found = await preflight("authorization,content-type,mcp-protocol-version")
    assert found["status"] == "204"
    assert found["access-control-allow-origin"] == MINE
    assert found["access-control-allow-methods"] == "POST, GET, DELETE"
    assert found["access-control-allow-headers"] == "authorization, content-type, mcp-protocol-version"
    assert found["access-control-max-age"] == "600"
    assert "Origin" in found["vary"]
    assert "access-control-allow-credentials" not in found
    assert "access-control-allow-private-network" not in found


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Content-Type", "Accept", "Mcp-Session-Id", "MCP-Protocol-Version", "Mcp-Method"),
        *("Mcp-Name", "Mcp-Param-Region", "Last-Event-ID", "traceparent", "tracestate", "X-Team"),
    ],
)
async def test_a_page_may_send_the_headers_of_mcp_and_of_the_settings(name: str) -> None:
    assert (await preflight(name))["access-control-allow-headers"] == name.lower()


@pytest.mark.parametrize("name", ["cookie", "x-other", "*", "", "mcp-param-", "mcp-param-a b", "x-forwarded-for"])
async def test_a_page_may_not_send_other_headers(name: str) -> None:
    assert "access-control-allow-headers" not in await preflight(name)
    assert (await preflight(f"{name}, accept"))["access-control-allow-headers"] == "accept"


@given(st.text(alphabet=st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=60))
async def test_only_known_header_names_are_allowed(wanted: str) -> None:
    line = (b"access-control-request-headers", wanted.encode("latin-1"))
    found = await answered([CONSOLE, WANTS, line], method="OPTIONS")
    assert found["status"] == "204"
    assert "*" not in found.get("access-control-allow-headers", "")


async def test_a_page_in_a_public_network_may_reach_a_private_gateway_that_lists_it() -> None:
    found = await preflight("accept", (b"access-control-request-private-network", b"true"))
    assert found["access-control-allow-private-network"] == "true"


@pytest.mark.parametrize(
    ("headers", "chunk", "status"), [([], b"{}", "200"), ([], b"x" * 11, "413"), ([(b"a", b"b" * 5000)], b"", "431")]
)
async def test_a_page_can_read_every_answer(headers: Lines, chunk: bytes, status: str) -> None:
    found = await answered([CONSOLE, *headers], chunk)
    assert (found["status"], found["access-control-allow-origin"], found["vary"]) == (status, MINE, "Origin")
    exposed = {name.strip().lower() for name in found["access-control-expose-headers"].split(",")}
    assert exposed >= {"mcp-session-id", "www-authenticate", "mcp-protocol-version", "x-request-id", "retry-after"}
    assert "access-control-allow-credentials" not in found


@pytest.mark.parametrize(
    "origin", [b"https://evil.example", b"null", b"http://console.example.com", b"https://mcp.example.com.evil"]
)
@pytest.mark.parametrize("method", ["POST", "OPTIONS", "GET"])
async def test_a_foreign_origin_gets_nothing_of_it(origin: bytes, method: str) -> None:
    found = await answered([(b"origin", origin), WANTS], method=method)
    assert found["status"] == "403"
    assert not [name for name in found if name.startswith("access-control")]


async def test_a_foreign_host_gets_nothing_of_it() -> None:
    sent = await asked(guarded(Inner()), [(b"host", b"evil.example"), CONSOLE, WANTS], method="OPTIONS")
    assert sent[0]["status"] == 403
    assert not [name for name, _ in sent[0]["headers"] if name.startswith(b"access-control")]


@pytest.mark.parametrize("headers", [[], [CONSOLE], [WANTS]])
async def test_an_options_request_that_is_not_a_preflight_passes(headers: Lines) -> None:
    inner = Inner()
    await answered(headers, inner=inner, method="OPTIONS")
    assert [scope["method"] for scope in inner.scopes] == ["OPTIONS"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_cached_answer_is_not_given_to_another_origin(method: str) -> None:
    assert (await answered([], method=method))["vary"] == "Origin"


async def test_a_request_without_an_origin_is_answered_without_cors_headers() -> None:
    assert await answered([], b"{}") == {"status": "200", "a": "b"}
    inner = Inner()
    await asked(CrossOrigin(inner), [], type="lifespan")
    assert inner.scopes[0]["type"] == "lifespan"
