"""A server in Go, whose JSON reader takes "NAME" for "name": what it would run is never another thing than was judged.

Every message here reaches what is forbidden when it is sent to the server directly (PROTOCOL.md section 7).
"""

import json
import os
import subprocess
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from tests.environment import ROOT
from tests.running import Gateway, catalog, running
from tests.servers.serving import started

pytestmark = pytest.mark.environment("go")

RULES: Final[dict[str, Any]] = {
    "rules": [
        {"rule": "everything", "effect": "allow", "reason": "a test", "owner": "o@e.c"},
        {
            "rule": "one-tool-never",
            "effect": "deny",
            "what": {"tools": ["forbidden"]},
            "reason": "never",
            "owner": "o@e.c",
        },
        {
            "rule": "one-word-never",
            "effect": "deny",
            "arguments": [{"path": "/text", "equals": "evil"}],
            "what": {"tools": ["echo"]},
            "reason": "never",
            "owner": "o@e.c",
        },
    ]
}
CALL: Final = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":%s}'
FOLDED: Final = {
    "name": CALL % '{"name":"echo","NAME":"forbidden","arguments":{}}',
    "name, first": CALL % '{"Name":"echo","name":"echo","nAme":"forbidden","arguments":{}}',
    "params": CALL % '{"name":"echo","arguments":{}},"PARAMS":{"name":"forbidden"}',
    "params, long s": CALL % '{"name":"echo","arguments":{}},"param\u017f":{"name":"forbidden"}',
    "params, escaped": CALL % r'{"name":"echo","arguments":{}},"param\u017f":{"name":"forbidden"}',
    "method": '{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call","params":{"name":"forbidden"}}',
    "arguments": CALL % '{"name":"echo","arguments":{"text":"fine"},"Arguments":{"text":"evil"}}',
    "arguments, long s": CALL % '{"name":"echo","arguments":{"text":"fine"},"argument\u017f":{"text":"evil"}}',
    "an argument beside the declared one": CALL % '{"name":"echo","arguments":{"text":"fine","TEXT":"evil"}}',
    "an argument instead of the declared one": CALL % '{"name":"echo","arguments":{"Text":"evil"}}',
}
HEADERS: Final = {
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2025-11-25",
}


class Folding:
    """The running server, and what its tools did."""

    def __init__(self, url: str, journal: Path) -> None:
        self.url: Final = url
        self._journal: Final = journal

    def ran(self) -> list[dict[str, str]]:
        return [json.loads(line) for line in self._journal.read_text(encoding="utf-8").splitlines()]

    def clear(self) -> None:
        os.truncate(self._journal, 0)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Generator[Folding]:
    directory = tmp_path_factory.mktemp("folding")
    program, journal = directory / "folding", directory / "journal"
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    source = str(ROOT / "tests/servers/go/main.go")
    subprocess.run(["go", "build", "-o", str(program), source], cwd=directory, env=environment, check=True)
    journal.touch()
    with started([str(program), str(journal)]) as url:
        yield Folding(url, journal)


@pytest.fixture
def folding(built: Folding) -> Folding:
    """The server, with an empty journal."""
    built.clear()
    return built


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, built: Folding) -> AsyncGenerator[Gateway]:
    tools = {"echo": {"action": "read"}, "forbidden": {"action": "read"}}
    servers = {"folding": catalog("folding", built.url, tools=tools)}
    root = tmp_path_factory.mktemp("folding-gateway")
    async with running(root, servers=servers, files={"rules/open.yaml": RULES}) as running_gateway:
        yield running_gateway


def _sent(url: str, body: str) -> httpx.Response:
    return httpx.post(url, content=body.encode(), headers=HEADERS, timeout=60)


def _broken(folding: Folding) -> bool:
    """Whether something ran that the rules forbid."""
    return any(ran["tool"] == "forbidden" or ran["text"] == "evil" for ran in folding.ran())


@pytest.mark.parametrize("what", FOLDED)
def test_directly_the_server_does_what_nobody_judged(folding: Folding, what: str) -> None:
    assert _sent(folding.url, FOLDED[what]).status_code == 200
    assert _broken(folding)


@pytest.mark.parametrize("what", FOLDED)
def test_through_the_gateway_a_key_that_folds_onto_another_never_reaches_it(
    gateway: Gateway, folding: Folding, what: str
) -> None:
    answer = _sent(gateway.url("folding"), FOLDED[what])
    assert folding.ran() == []
    if what.startswith(("params", "method")):  # a key of the envelope, so that not even the method is beyond doubt
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, -32600)
        assert "result" not in answer.json()
        return
    assert (answer.status_code, answer.json()["result"]["isError"]) == (200, True)
    assert "(message_malformed). Nothing was executed." in answer.json()["result"]["content"][0]["text"]


def test_what_is_written_as_it_is_meant_passes(gateway: Gateway, folding: Folding) -> None:
    answer = _sent(gateway.url("folding"), CALL % '{"name":"echo","arguments":{"text":"fine"}}')
    assert answer.status_code == 200
    assert folding.ran() == [{"tool": "echo", "text": "fine"}]


def test_what_is_written_as_it_is_meant_is_refused_by_its_rule(gateway: Gateway, folding: Folding) -> None:
    for params in ('{"name":"forbidden","arguments":{}}', '{"name":"echo","arguments":{"text":"evil"}}'):
        answer = _sent(gateway.url("folding"), CALL % params)
        assert answer.json()["result"]["isError"] is True
    assert folding.ran() == []


def test_every_refused_message_is_in_the_journal(gateway: Gateway, folding: Folding) -> None:
    before = len(gateway.records("refused"))
    for body in FOLDED.values():
        _sent(gateway.url("folding"), body)
    assert len(gateway.records("refused")) == before + len(FOLDED)
    assert not _broken(folding)
