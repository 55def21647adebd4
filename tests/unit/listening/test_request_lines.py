"""Request lines: absolute targets name the host, and other versions of HTTP are refused."""

import json

import pytest

from gateway.listening.request_target import read_target
from tests.unit.listening.support import head, serving


def lines(target: str, *hosts: str, version: str = "HTTP/1.1") -> bytes:
    named = "".join(f"Host: {host}\r\n" for host in hosts)
    return f"GET {target} {version}\r\n{named}\r\n".encode()


@pytest.mark.parametrize(
    ("target", "hosts", "seen"),
    [
        ("http://a/x", ["a"], ["a"]),
        ("http://A:80/x", ["a"], ["A:80"]),
        ("https://a/x", ["a:443"], ["a"]),
        ("http://evil.example/x", ["evil.example"], ["evil.example"]),
        ("http://evil.example/x", ["a"], ["a", "evil.example"]),
        ("http://a/x", ["evil.example"], ["evil.example", "a"]),
        ("http://a:81/x", ["a"], ["a", "a:81"]),
        ("http://a/x", ["a", "a"], ["a", "a"]),
        ("http://[::1]:80/x", ["[::1]"], ["[::1]:80"]),
        ("http://a/x", [], []),
    ],
)
async def test_an_absolute_target_names_the_host(target: str, hosts: list[str], seen: list[str]) -> None:
    async with serving() as served:
        answer = await served.ask(lines(target, *hosts))
        assert answer.status == 200
        assert json.loads(answer.body)["path"] == "/x"
        assert answer.seen.get("host", []) == seen


async def test_an_absolute_target_of_http_1_0_needs_no_host() -> None:
    async with serving() as served:
        answer = await served.ask(lines("http://evil.example/x", version="HTTP/1.0"))
        assert answer.seen["host"] == ["evil.example"]


@pytest.mark.parametrize(
    "target", ["http://u@a/x", "ftp://a/x", "http:///x", "a:1", "http://u:p@a", "https://a:99999/"]
)
async def test_a_target_that_is_neither_a_path_nor_an_http_url_is_refused(target: str) -> None:
    assert read_target(target.encode()) is None
    async with serving() as served:
        assert (await served.ask(lines(target, "a"))).status == 400
        assert served.app.scopes == []


@pytest.mark.parametrize("version", ["HTTP/2.0", "HTTP/3.0", "HTTP/0.9", "HTTP/1.2", "HTTP/9.9"])
async def test_another_version_of_http_is_505(version: str) -> None:
    async with serving() as served, served.client() as client:
        await client.send(head("/x", "Content-Length: 0", version=version))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (505, "close")
        assert version in json.loads(answer.body)["error"]
        assert await client.ended() == b""
        assert served.app.scopes == []


async def test_the_preface_of_http_2_is_505() -> None:
    async with serving() as served:
        assert (await served.ask(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")).status == 505


@pytest.mark.parametrize(
    "line", [b"GET /x HTTP/1.x", b"GET /x http/1.1", b"GET /x HTP/1.1", b"\0\0\0\0", b"GET /\x01 HTTP/1.1"]
)
async def test_a_request_line_that_cannot_be_read_is_400(line: bytes) -> None:
    async with serving() as served:
        assert (await served.ask(line + b"\r\nHost: a\r\n\r\n")).status == 400
        assert served.app.scopes == []


async def test_http_1_0_is_answered_and_closed() -> None:
    async with serving() as served, served.client() as client:
        await client.send(head("/x", version="HTTP/1.0", method="GET"))
        assert (await client.answer()).status == 200
        assert await client.ended() == b""


async def test_a_refusal_comes_after_the_responses_to_earlier_requests() -> None:
    async with serving() as served, served.client() as client:
        await client.send(
            head("/hang", method="GET") + head("/x", method="GET") + b"GET /x HTTP/2.0\r\nHost: a\r\n\r\n"
        )
        served.app.hanging.set()
        assert [(await client.answer()).status for _ in range(3)] == [200, 200, 505]
        assert await client.ended() == b""


async def test_an_upgrade_is_answered_as_http_1_1_and_ends_the_connection() -> None:
    async with serving() as served, served.client() as client:
        upgrade = ("Connection: upgrade", "Upgrade: h2c", "Content-Length: 2")
        await client.send(head("/read", *upgrade) + b"{}" + head("/x", method="GET"))
        answer = await client.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await client.ended() == b""
        assert len(served.app.scopes) == 1


async def test_requests_of_a_connection_share_nothing_that_belongs_to_one_of_them() -> None:
    async with serving() as served, served.client() as client:
        for path, value in (("/a?b", "1"), ("/c", "2")):
            await client.send(head(path, f"X: {value}", method="GET"))
            await client.answer()
    first, second = served.app.scopes
    assert [first[key] for key in ("path", "query_string", "headers")] == ["/a", b"b", [(b"host", b"a"), (b"x", b"1")]]
    assert [second[key] for key in ("path", "query_string", "headers")] == ["/c", b"", [(b"host", b"a"), (b"x", b"2")]]
    assert first["client"] == second["client"]
    assert first["state"] is not second["state"]
