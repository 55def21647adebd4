"""Unusual spellings of resources: judged in normal form, forwarded as written, refused if readers disagree."""

from typing import Any

import orjson
import pytest

from gateway.admission.decision import Route
from tests.fakes import FakePresented, FakeReply, World, allow
from tests.unit.server.client import Browser

ROUTE = Route(url="http://upstream.test/mcp", normal_uris=True)


def world(*, listed: str = "", route: Route = ROUTE) -> World:
    def upstream(message: dict[str, Any]) -> FakeReply:
        return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"contents": []}}))

    made = World(lambda _: allow(route), upstream)
    made.definitions.presented = FakePresented(uri=listed)
    return made


async def read(made: World, uri: str) -> dict[str, Any]:
    got = await Browser(made).legacy("resources/read", {"uri": uri})
    assert got.status == 200
    return got.json


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("greeting://World", "greeting://World"),
        ("mem://a b", "mem://a%20b"),
        ("note://\u00fc", "note://%C3%BC"),
        ("note://%c3%bc", "note://%C3%BC"),
        ("https://Example.com", "https://example.com/"),
    ],
)
async def test_a_spelling_is_judged_in_normal_form_and_forwarded_as_written(uri: str, normal: str) -> None:
    made = world()
    assert "result" in await read(made, uri)
    target = made.policy.questions[-1].target
    assert (target.uri, target.written) == (normal, uri if uri != normal else None)
    assert made.upstream.messages[-1]["params"]["uri"] == uri


@pytest.mark.parametrize("uri", ["docs://page#section", "custom:/x//y", "config", "file://C:\\a", "repo://a%2Fb"])
async def test_a_spelling_that_readers_disagree_about_is_read_only_as_listed(uri: str) -> None:
    assert "result" in await read(world(listed=uri), uri)
    for listed in ("", "other://x"):
        made = world(listed=listed)
        refused = await read(made, uri)
        assert "does not list it in this spelling" in refused["error"]["message"]
        assert "resources/read" not in [message["method"] for message in made.upstream.messages]


async def test_dot_segments_are_refused_even_if_they_are_listed() -> None:
    uri = "file:///docs/%2e%2e/secret"
    made = world(listed=uri)
    assert "dot segment" in (await read(made, uri))["error"]["message"]
    assert made.upstream.forwards == []


async def test_a_policy_without_normal_forms_admits_no_other_spelling() -> None:
    made = world(route=Route(url="http://upstream.test/mcp"))
    assert "result" in await read(made, "mem://a%20b")
    sent = len(made.upstream.forwards)
    refused = await read(made, "mem://a b")
    assert "write `mem://a%20b`" in refused["error"]["message"]
    assert len(made.upstream.forwards) == sent


async def test_a_template_is_completed_as_it_is_written() -> None:
    made = world()
    ref = {"type": "ref/resource", "uri": "note://{name}"}
    await Browser(made).legacy("completion/complete", {"ref": ref, "argument": {"name": "name", "value": "a"}})
    assert made.policy.questions[-1].target.uri == "note://{name}"
    assert made.upstream.messages[-1]["params"]["ref"] == ref
