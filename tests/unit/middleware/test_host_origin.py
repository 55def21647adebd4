"""Checks of hosts and origins."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.middleware import AllowedHosts, HostAndOrigin
from tests.unit.middleware.support import Inner, Noticed, asked

LOCAL = AllowedHosts("http://127.0.0.1:8930", hosts=(), origins=(), loopback=True)
PUBLIC = AllowedHosts(
    "https://mcp.example.com",
    hosts=("gw.internal", "gw.internal.example:8443"),
    origins=("https://console.example.com", "http://tool.example:3000"),
    loopback=False,
)


@pytest.mark.parametrize("host", ["127.0.0.1:8930", "localhost:8930", "LOCALHOST", "[::1]:8930", "127.0.0.1:1"])
def test_loopback_names_are_ours_on_a_loopback_listener(host: str) -> None:
    assert LOCAL.host(host)
    assert not PUBLIC.host(host)


@pytest.mark.parametrize(
    "host", ["mcp.example.com", "MCP.example.com:443", "gw.internal", "gw.internal:1", "gw.internal.example:8443"]
)
def test_the_public_host_and_listed_ones_are_ours(host: str) -> None:
    assert PUBLIC.host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "mcp.example.com.evil.example",
        "evil-mcp.example.com",
        "mcp.example.com:",
        "mcp.example.com:x",
        "mcp.example.com:443:443",
        "mcp.example.com@evil.example",
        "mcp.example.com/",
        "mcp.example.com,evil.example",
        "gw.internal.example",
        "gw.internal.example:8444",
        "[mcp.example.com]",
        "mcp.example.com\n",
        "mcp.example.com.",
    ],
)
def test_other_hosts_are_not_ours(host: str) -> None:
    assert not PUBLIC.host(host)
    assert not LOCAL.host(host)


@pytest.mark.parametrize(
    "origin",
    [
        "https://mcp.example.com",
        "https://mcp.example.com:443",
        "https://console.example.com",
        "http://tool.example:3000",
    ],
)
def test_the_public_origin_and_listed_ones_are_ours(origin: str) -> None:
    assert PUBLIC.origin(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "",
        "http://mcp.example.com",
        "https://mcp.example.com:8443",
        "https://evil.example",
        "https://mcp.example.com.evil.example",
        "http://tool.example",
        "http://localhost:3000",
        "file://",
        "chrome-extension://mcp.example.com",
        "https://console.example.com@evil.example",
        "https://evil.example/https://mcp.example.com",
    ],
)
def test_other_origins_are_not_ours(origin: str) -> None:
    assert not PUBLIC.origin(origin)


def test_pages_on_this_machine_may_use_a_loopback_listener() -> None:
    assert LOCAL.origin("http://localhost:6274")
    assert LOCAL.origin("http://127.0.0.1:8930")
    assert not LOCAL.origin("http://localhost.evil.example")
    assert not LOCAL.origin("vscode-webview://localhost")


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    PUBLIC.host(text)
    assert not PUBLIC.origin(f"null{text}")


async def test_our_own_host_goes_on() -> None:
    inner, noticed = Inner(), Noticed()
    app = HostAndOrigin(inner, noticed, LOCAL)
    sent = await asked(app, [(b"host", b"127.0.0.1:8930"), (b"origin", b"http://localhost:1")], b"{}")
    assert sent[0]["status"] == 200
    assert noticed.turned == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([(b"host", b"evil.example")], "host_refused"),
        ([], "host_refused"),
        ([(b"host", b"localhost"), (b"host", b"evil.example")], "host_refused"),
        ([(b"host", b"localhost"), (b"host", b"localhost")], "host_refused"),
        ([(b"host", b"localhost"), (b"origin", b"https://evil.example")], "origin_refused"),
        ([(b"host", b"localhost"), (b"origin", b"null")], "origin_refused"),
        (
            [(b"host", b"localhost"), (b"origin", b"http://localhost"), (b"origin", b"http://localhost")],
            "origin_refused",
        ),
        ([(b"host", b"localhost"), (b"origin", b"\xff")], "origin_refused"),
    ],
)
async def test_a_request_for_another_host_is_rejected(headers: list[tuple[bytes, bytes]], code: str) -> None:
    inner, noticed = Inner(), Noticed()
    sent = await asked(HostAndOrigin(inner, noticed, LOCAL), headers, b"{}")
    assert inner.scopes == []
    assert sent[0]["status"] == 403
    body = json.loads(sent[1]["body"])
    assert (body["jsonrpc"], body["id"]) == ("2.0", None)
    assert noticed.codes == [code]
    assert noticed.turned[0].source_ip == "10.0.0.9"


async def test_the_start_and_end_of_the_program_are_not_judged() -> None:
    inner = Inner()
    await asked(HostAndOrigin(inner, Noticed(), LOCAL), [], type="lifespan")
    assert inner.scopes[0]["type"] == "lifespan"


@given(
    st.lists(st.sampled_from(["localhost", "LOCALHOST:1", "evil.example", "localhost:x", "a" * 300, ""]), max_size=9)
)
def test_a_host_is_judged_alike_however_often_it_is_named(hosts: list[str]) -> None:
    names = AllowedHosts("http://127.0.0.1:8930", hosts=("a" * 300,), origins=(), loopback=True)
    for host in hosts:
        assert names.host(host) == (host in {"localhost", "LOCALHOST:1", "a" * 300})
