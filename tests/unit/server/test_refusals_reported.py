"""Reports of refusals at the edge, with code and detail, and with the server if policy knows it."""

from typing import Any, Final, cast

import orjson
import pytest

from gateway.admission.decision import Decision, PolicyFailure
from gateway.admission.policy_input import PolicyInput
from gateway.definitions.presented_definition import PresentedDefinition
from gateway.pipeline.ports import UpstreamFailure
from gateway.server.ports import UnverifiedCaller
from tests.fakes import REVISION, FakeMeters, FakePresented, FakeReply, World, allow, deny
from tests.unit.server.client import JSON, Browser

BODY: Final[dict[str, Any]] = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "t"}}
OLD: Final = (*JSON, ("mcp-protocol-version", "2025-11-25"))


def done(message: dict[str, Any]) -> FakeReply:
    return FakeReply(orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}}))


async def refusals(world: World, body: Any = BODY) -> list[tuple[str, str, str]]:
    return (await reported(world, body)).refusals


async def reported(world: World, body: Any = BODY) -> FakeMeters:
    browser = Browser(world)
    await browser.send(body, *OLD)
    return browser.meters


async def test_a_call_that_passes_reports_nothing() -> None:
    assert await refusals(World(upstream=done)) == []


async def test_a_server_that_is_away_is_reported_with_its_name() -> None:
    failure = UpstreamFailure(code="upstream_unavailable", detail="connection refused")
    assert await refusals(World(upstream=lambda _: failure)) == [("upstream_unavailable", "connection refused", "s")]


async def test_a_missing_credential_is_reported() -> None:
    failure = UpstreamFailure(code="credential_missing", detail="no file `s`")
    assert await refusals(World(upstream=lambda _: failure)) == [("credential_missing", "no file `s`", "s")]


async def test_a_policy_that_cannot_be_asked_is_reported_without_a_server() -> None:
    made = World(lambda _: PolicyFailure(code="policy_unavailable", detail="away"), done)
    assert [(code, server) for code, _, server in await refusals(made)] == [("policy_unavailable", "")]


async def test_an_unreadable_body_is_reported() -> None:
    assert [code for code, _, _ in await refusals(World(upstream=done), b"{")] == ["malformed_not_json"]


async def test_a_caller_whose_key_set_is_away_is_reported() -> None:
    made = World(upstream=done)
    made.callers.outcome = UnverifiedCaller(cause="keys_unavailable", reason="no keys", status=503)
    assert await refusals(made) == [("keys_unavailable", "no keys", "")]


@pytest.mark.parametrize(
    ("requirements", "is_reported"),
    [
        (["definition_is_unchanged"], True),
        (["definition_is_unchanged", "rules_permit"], True),
        (["definition_is_unchanged", "target_is_listed"], False),
        (["rules_permit"], False),
    ],
)
async def test_a_call_that_is_refused_for_a_changed_definition_is_reported(
    requirements: list[str], is_reported: bool
) -> None:
    def answer(asked: PolicyInput) -> Decision:
        return deny(*requirements) if asked.message.method == "tools/call" else allow()

    made = World(answer, done)
    item = {"name": "t", "inputSchema": {"type": "object"}}
    made.definitions.presented = cast("FakePresented", PresentedDefinition("tools/list", item))
    meters = await reported(made)
    assert (("drifted", "t", "s") in meters.refusals) is is_reported
    told = [(each.kind, each.revision, dict(each.words)) for each in meters.definitions]
    assert told == ([("tool", REVISION, item)] if is_reported else [])
