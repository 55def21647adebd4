"""What users answer to servers' questions, by the official client, under a policy that lets no password out."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio
from mcp import Client
from mcp_types import ElicitResult

from tests.running import Gateway, catalog, running
from tests.servers.talking import Talker, talking

SECRET: Final = "hunter2"
REQUIREMENT: Final = """\
# METADATA
# title: No password is told
# description: What leaves the client has no password in it.
# custom: {severity: high, remedy: Leave the password out.}
package mcp.requirements.no_password_is_told

met if true

met_by_arguments if not contains(json.marshal(input.arguments), "hunter2")

because contains "hunter2 is a password" if not met_by_arguments
"""
TEST: Final = """\
package mcp.requirements.no_password_is_told_test

import data.mcp.requirements.no_password_is_told as requirement

test_met if requirement.met

test_words if requirement.met_by_arguments with input as {"arguments": {"a": "b"}}

test_password if requirement.because == {"hunter2 is a password"} with input as {"arguments": {"a": "hunter2"}}
"""


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Generator[Talker]:
    with talking(tmp_path_factory.mktemp("talking") / "journal") as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, talker: Talker) -> AsyncGenerator[Gateway]:
    root = tmp_path_factory.mktemp("answers")
    _requirement(root / "policy" / "rego" / "mcp" / "requirements" / "no_password_is_told")
    tools = {"ask": {"action": "read"}}
    async with running(root, servers={"talk": catalog("talk", talker.url, tools=tools)}) as started:
        yield started


def _requirement(directory: Path) -> None:
    directory.mkdir(parents=True)
    (directory / "no_password_is_told.rego").write_text(REQUIREMENT, encoding="utf-8")
    (directory / "no_password_is_told_test.rego").write_text(TEST, encoding="utf-8")


async def test_a_server_whose_answer_is_withheld_is_told_so_at_once_and_the_session_goes_on(
    gateway: Gateway, talker: Talker
) -> None:
    names = iter([SECRET, "Ada"])

    async def elicited(context: Any, params: Any) -> ElicitResult:
        del context, params
        return ElicitResult(action="accept", content={"name": next(names)})

    async with Client(gateway.url("talk"), mode="legacy", elicitation_callback=elicited) as client:
        told, answered = [str((await client.call_tool("ask", {})).content) for _ in range(2)]
    assert "the client refused" in told
    assert SECRET not in told
    assert "Ada" in answered
    assert talker.happened("refused") == [40301]
    responses = [record for record in gateway.records("decided") if record.get("message_kind") == "response"]
    assert [record["outcome"] for record in responses] == ["deny", "allow", "allow"]
    assert responses[0]["requirement"] == "no_password_is_told"
