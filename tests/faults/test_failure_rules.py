"""The rows of DESIGN section 7 that are the gateway's own: policy, journal, methods and credentials that fail.

Rule 1: each shows the answer that is wanted and an empty upstream, and that the gateway serves again afterwards.

The rows of OPA that is killed or stopped are in `test_opa_gateway`; of servers in `test_upstream_faults` and
`test_large_results`; of clients in `test_clients_gone`; of credentials in `test_strangers`; of messages in
`test_smuggling` and `test_malformed_corpus`.
"""

import asyncio
import ctypes
import json
import os
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.faults.behind import Behind, standing
from tests.faults.wire import LEGACY_POST, Got, modern, request
from tests.running import OPEN, until
from tests.servers.scripted import Received, Script, answer

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPACE: Final = 8 << 20
NUMBERS: Final = """\
# METADATA
# title: Numbers are numbers
# description: What is called x can be read as a number; one that counts far is not decided in time.
# custom: {severity: low, remedy: Send a number.}
package mcp.requirements.numbers_are_numbers

met if true

met_by_arguments if not "x" in object.keys(input.arguments)

met_by_arguments if to_number(input.arguments.x) < 1000

met_by_arguments if {
	to_number(input.arguments.x) >= 1000
	count([1 | some one in numbers.range(1, to_number(input.arguments.x)); one % 7 == 3]) > 0
}

because contains "x is no number" if false
"""
TEST: Final = """\
package mcp.requirements.numbers_are_numbers_test

import data.mcp.requirements.numbers_are_numbers

test_numbers if numbers_are_numbers.met_by_arguments with input as {"arguments": {"x": "1"}}

test_counts if numbers_are_numbers.met_by_arguments with input as {"arguments": {"x": 1000}}

test_nothing if numbers_are_numbers.met_by_arguments with input as {"arguments": {}}

test_met if numbers_are_numbers.met
"""


def own_requirement(root: Path) -> None:
    """Put a requirement into the policy repository that fails, or takes long, for some arguments."""
    directory = root / "policy" / "rego" / "mcp" / "requirements" / "numbers_are_numbers"
    directory.mkdir(parents=True)
    (directory / "numbers_are_numbers.rego").write_text(NUMBERS, encoding="utf-8")
    (directory / "numbers_are_numbers_test.rego").write_text(TEST, encoding="utf-8")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    directory = tmp_path_factory.mktemp("gateway")
    own_requirement(directory)
    async with standing(directory) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def behind(shared: Behind) -> AsyncGenerator[Behind]:
    """The shared gateway; before and afterwards it serves calls."""
    await served(shared)
    shared.server.begin()
    yield shared
    await served(shared)


async def served(behind: Behind) -> None:
    """Wait until a call is answered by the server."""
    last = Got()

    async def found() -> bool | None:
        nonlocal last
        last = await behind.line.called()
        return True if last.status == 200 and not last.message["result"].get("isError") else None

    await until(found, lambda: f"calls are not served: {last}")


async def test_an_evaluation_error_is_of_the_one_who_provokes_it(behind: Behind) -> None:
    async def provoked() -> list[Got]:
        return [await behind.line.called("delete", {"x": "a-quoted-word"}) for _ in range(20)]

    async def other() -> list[Got]:
        return [await behind.line.called("echo", {"text": "fine"}) for _ in range(20)]

    before = behind.known()
    refused, answered = await asyncio.gather(provoked(), other())
    assert {(got.status, got.reason) for got in refused} == {(200, "policy_error")}
    assert not any(got.message["result"].get("isError") for got in answered)
    assert {effect.json["params"]["name"] for effect in behind.server.effects} == {"echo"}
    assert len(behind.server.effects) == 20
    records = [one for one in behind.gateway.records("decided") if one["call_id"] not in before]
    failed = [one for one in records if one.get("code") == "policy_error"]
    assert len(failed) == 20
    assert {one["outcome"] for one in failed} == {"deny"}
    assert not any("a-quoted-word" in str(one["reasons"]) for one in failed)
    log = behind.gateway.log.read_text(encoding="utf-8")
    assert "to_number received invalid operands" in log
    assert "a-quoted-word" not in log, "the error quotes an argument"
    assert (await behind.gateway.readiness())["ready"]


async def test_a_decision_that_takes_too_long_is_a_denial(behind: Behind) -> None:
    got = await behind.line.called("echo", {"x": 100_000_000})
    assert (got.status, got.reason) == (200, "policy_unavailable")
    assert behind.server.effects == []


async def test_a_revision_lower_than_one_enforced_refuses_until_a_higher_one_comes(behind: Behind) -> None:
    gateway = behind.gateway
    revision = await gateway.revision()
    _save(behind, "another reason")
    revision = await gateway.enforced_after(revision)
    _continue_from(behind, 0)
    _save(behind, "the reason of an old copy")

    async def refused() -> bool | None:
        return True if (await behind.line.called()).reason == "policy_regressed" else None

    await until(refused, lambda: "an older revision is enforced")
    behind.server.begin()
    for got in [await behind.line.called() for _ in range(5)]:
        assert (got.status, got.reason) == (200, "policy_regressed")
    assert behind.server.effects == []
    _continue_from(behind, int(revision.rpartition(".")[2]))
    _save(behind, "a new reason")
    await served(behind)


def _save(behind: Behind, reason: str) -> None:
    behind.gateway.save("rules/open.yaml", {"rules": [{**OPEN["rules"][0], "reason": reason}]})


def _continue_from(behind: Behind, number: int) -> None:
    """Let the next build be numbered after this, as after a counter that was restored from an old copy."""
    (counter,) = behind.gateway.root.rglob("test.seq")
    counter.write_text(f"{number:020d}\n", encoding="ascii")


@pytest.mark.parametrize(
    ("era", "status"),
    [("modern", 404), ("legacy", 200)],
)
async def test_an_unknown_method_is_refused_in_the_protocols_own_way(behind: Behind, era: str, status: int) -> None:
    before = behind.known()
    if era == "modern":
        got = await behind.line.post(json.dumps(request("tools/destroy")).encode(), *modern("tools/destroy"))
    else:
        got = await behind.line.legacy("tools/destroy")
    assert (got.status, got.json["id"], got.json["error"]["code"]) == (status, 1, -32601)
    assert behind.server.effects == []
    assert (await behind.one_more_than(before))["method"] == "tools/destroy"


async def test_an_unknown_notification_is_dropped_and_recorded(behind: Behind) -> None:
    before = behind.known()
    got = await behind.line.post(b'{"jsonrpc":"2.0","method":"notifications/odd"}', *LEGACY_POST)
    assert (got.status, got.body) == (202, b"")
    assert behind.server.received == []
    assert (await behind.one_more_than(before))["code"] == "method_unknown"


@pytest.mark.parametrize("method", ["initialize", "server/discover", "tools/list", "tools/call"])
async def test_without_a_bundle_nothing_passes(tmp_path: Path, method: str) -> None:
    broken = {"rules/broken.yaml": {"rules": "none"}}
    async with standing(tmp_path, files=broken, ready=False) as behind:
        params: dict[str, Any] = {"name": "echo"} if method == "tools/call" else {"protocolVersion": "2025-11-25"}
        if method == "server/discover":
            got = await behind.line.post(json.dumps(request(method)).encode(), *modern(method))
        else:
            got = await behind.line.legacy(method, params)
        assert got.reason == "policy_unavailable"
        connecting = method in {"initialize", "server/discover"}
        assert got.status == (503 if connecting else 200)
        assert ("retry-after" in got.headers) == connecting
        assert behind.server.received == []
        assert not (await behind.gateway.readiness())["ready"]


@contextmanager
def small(directory: Path) -> Generator[None]:
    """A file system with little room, for the time of the block."""
    directory.mkdir()
    library = ctypes.CDLL(None, use_errno=True)
    assert library.mount(b"tmpfs", os.fsencode(directory), b"tmpfs", 0, f"size={SPACE},mode=0700".encode()) == 0
    try:
        yield
    finally:
        assert library.umount2(os.fsencode(directory), 2) == 0


def fill(path: Path) -> None:
    """Take all the space that is left."""
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 4096):
                pass
        except OSError:
            return


@pytest.mark.environment("tmpfs")
async def test_a_full_journal_refuses_calls_and_completes_those_under_way(tmp_path: Path) -> None:
    state = tmp_path / "journal"
    with small(state):
        (tmp_path / "state").mkdir()
        (tmp_path / "state" / "journal").symlink_to(state)
        async with standing(tmp_path, settings={"journal": {"segment_mib": 1}}) as behind:
            await served(behind)
            await _filled(behind, state / "ballast")


async def _filled(behind: Behind, ballast: Path) -> None:
    going_on, before = asyncio.Event(), behind.known()
    behind.server.begin()
    behind.server.reply = lambda received: [going_on, *_result(received)]
    under_way = asyncio.create_task(behind.line.called("delete"))
    first = await behind.one_more_than(before)
    fill(ballast)

    async def refused() -> bool | None:
        got = await behind.line.called("echo", {"text": "x" * 20_000})
        return True if got.reason == "journal_unavailable" else None

    behind.server.reply = _result
    await until(refused, lambda: "a full journal takes records")
    behind.server.begin()
    for got in [await behind.line.called("echo", {"text": "x" * 20_000}) for _ in range(5)]:
        assert (got.status, got.reason) == (200, "journal_unavailable")
    assert (await behind.line.post(b"{}", *LEGACY_POST)).status in {400, 503}
    assert behind.server.effects == []
    assert not (await behind.gateway.readiness())["ready"]
    going_on.set()
    assert not (await under_way).message["result"].get("isError")
    await asyncio.to_thread(ballast.unlink)
    await served(behind)

    async def completed() -> bool | None:
        return True if behind.completed(first["call_id"]) else None

    await until(completed, lambda: "the call under way has no second record")


def _result(received: Received) -> Script:
    message = received.json
    return answer({"content": [], "resultType": "complete"}, id=message["id"])
