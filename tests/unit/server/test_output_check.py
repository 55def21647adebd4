"""Results of tools against their output schemas if the catalog requires it, and calls by schemas with gaps."""

from typing import Any, cast

import orjson
import pytest

from gateway.admission.decision import Route
from gateway.admission.record import Decided
from gateway.definitions.presented_definition import PresentedDefinition
from tests.fakes import FakePresented, FakeReply, World, allow
from tests.unit.server.client import Browser, task_text

CHECKED = Route(url="http://upstream.test/mcp", check_output=True)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "when": {"pattern": "(?=x)"}},
    "required": ["n"],
}


def world(result: dict[str, Any], *, route: Route = CHECKED, **tool: Any) -> World:
    def upstream(message: dict[str, Any]) -> FakeReply:
        return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}))

    made = World(lambda _: allow(route), upstream)
    item = {"name": "t", "inputSchema": {"type": "object"}, **tool}
    made.definitions.presented = cast("FakePresented", PresentedDefinition("tools/list", item))
    return made


async def called(result: dict[str, Any], **more: Any) -> dict[str, Any]:
    got = await Browser(world(result, **more)).legacy("tools/call", {"name": "t", "arguments": {}})
    assert got.status == 200
    return got.json["result"]


@pytest.mark.parametrize(
    "result",
    [
        {"content": [], "structuredContent": {"n": 1, "when": "now"}},
        {"content": [], "isError": True},
        {"content": [], "isError": True, "structuredContent": {"error": "none"}},
    ],
)
async def test_a_result_that_fits_its_output_schema_is_delivered(result: dict[str, Any]) -> None:
    assert await called(result, outputSchema=SCHEMA) == result


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            {"content": [], "structuredContent": {"n": "hunter2"}},
            "structured content `n` is a string of 7 characters; the output schema of the tool requires an integer",
        ),
        ({"content": [], "structuredContent": {}}, "structured content `n` is missing"),
        ({"content": [], "structuredContent": []}, "the structured content is a list with 0 elements"),
        ({"content": [], "structuredContent": None}, "the structured content is null"),
        ({"content": []}, "has no structuredContent"),
        ({"content": [], "isError": False}, "has no structuredContent"),
        ({"task": {"taskId": "1"}, "structuredContent": {"n": 1}}, "is not known here"),
    ],
)
async def test_a_result_that_does_not_fit_is_withheld_with_the_reason(result: dict[str, Any], said: str) -> None:
    got = await called(result, outputSchema=SCHEMA)
    assert got["isError"] is True
    assert said in got["content"][0]["text"]
    assert "hunter2" not in str(got)
    assert "structuredContent" not in got


async def test_a_result_is_not_checked_unless_the_catalog_asks() -> None:
    result: dict[str, Any] = {"content": [], "structuredContent": {"n": "x"}}
    assert await called(result, route=Route(url="http://upstream.test/mcp"), outputSchema=SCHEMA) == result


async def test_a_tool_without_an_output_schema_promises_nothing() -> None:
    result: dict[str, Any] = {"content": [], "structuredContent": {"n": "x"}}
    assert await called(result) == result


async def test_the_result_of_a_task_is_not_delivered_with_unchecked_content() -> None:
    made = world({"content": [], "structuredContent": {"n": 1}}, outputSchema=SCHEMA)
    got = await Browser(made).legacy("tasks/result", {"taskId": task_text(made, "1")})
    assert "is not known here" in got.json["error"]["message"]


async def test_an_output_that_cannot_be_checked_is_withheld() -> None:
    doubling = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    schema = {"allOf": [{"$ref": "#/$defs/d0"}], "$defs": {**doubling, "d40": {}}}
    got = await called({"content": [], "structuredContent": {"n": 1}}, outputSchema=schema)
    assert "cannot be checked" in got["content"][0]["text"]


async def test_the_question_and_the_record_name_the_unchecked_keywords() -> None:
    broken = {"type": "object", "properties": {"a": {"pattern": "(?=x)"}, "b": {"type": "integer"}}}
    made = world({"content": []}, route=Route(url="http://upstream.test/mcp"), inputSchema=broken)
    browser = Browser(made)
    await browser.legacy("tools/call", {"name": "t", "arguments": {"b": "x"}})
    meta = made.policy.questions[-1].arguments_meta
    assert (meta.schema, meta.unchecked) == ("mismatch", ["/properties/a/pattern"])
    assert [(error.path, error.keyword) for error in meta.errors] == [("/b", "type")]
    record = made.journal.records[-1]
    assert isinstance(record, Decided)
    assert record.arguments.unchecked == ("/properties/a/pattern",)
    assert browser.meters.unchecked_calls == ["s"]


@pytest.mark.parametrize(
    "more",
    [
        {"StructuredContent": {"n": "hunter2"}},
        {"\u017ftructuredContent": {"n": "hunter2"}},
        {"IsError": True},
        {"result": {"STRUCTUREDCONTENT": {"n": "hunter2"}}},
    ],
)
async def test_a_key_that_some_readers_take_for_a_checked_one_is_withheld(more: dict[str, Any]) -> None:
    got = await called({"content": [], "structuredContent": {"n": 1}, **more}, outputSchema=SCHEMA)
    assert "some readers take for its structured content" in got["content"][0]["text"]
    assert "hunter2" not in str(got)


async def test_of_two_structured_contents_only_the_checked_one_is_delivered() -> None:
    twice = b'{"structuredContent":{"n":"hunter2"},"content":[],"structuredContent":{"n":1}}'
    made = world({}, outputSchema=SCHEMA)

    def answer(_: dict[str, Any]) -> FakeReply:
        return FakeReply(b'{"jsonrpc":"2.0","id":1,"result":' + twice + b"}")

    made.upstream.answer = answer
    got = await Browser(made).legacy("tools/call", {"name": "t", "arguments": {}})
    assert got.json["result"] == {"structuredContent": {"n": 1}, "content": []}
    assert b"hunter2" not in got.body
