"""The official SDKs as clients: what they can do directly they can do through the gateway, but for the policy.

Each program of tests/clients and tests/node/clients holds the same conversation with the talking server, over two
entries of the catalog: `open`, which may ask the client back, and `quiet`, which may not.
"""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.clients.programs import held
from tests.running import Gateway, catalog, running, until
from tests.servers.talking import TOOLS, Talker, talking

_NODE: Final = pytest.mark.environment("node")
CLIENTS: Final = [
    ("python2", "legacy"),
    ("python2", "auto"),
    pytest.param(("python1", "legacy"), marks=pytest.mark.environment("client1")),
    pytest.param(("typescript1", "legacy"), marks=_NODE),
    pytest.param(("typescript2", "legacy"), marks=_NODE),
    pytest.param(("typescript2", "auto"), marks=_NODE),
]
RULES: Final[dict[str, Any]] = {
    "rules": [
        {"rule": "everything", "effect": "allow", "reason": "a test", "owner": "o@e.c"},
        {
            "rule": "one-thing-never",
            "effect": "deny",
            "what": {"tools": ["forbidden"]},
            "reason": "it would be a pity",
            "owner": "o@e.c",
        },
    ]
}


class Talk:
    """What came of a program's conversation, and the name under which it was cancelled."""

    def __init__(self, program: str, mode: str, said: dict[str, Any]) -> None:
        self.name: Final = f"{program}-{mode}"
        self.modern: Final = mode != "legacy"
        self.open: Final[dict[str, Any]] = said["open"]
        self.quiet: Final[dict[str, Any]] = said["quiet"]


Talks = dict[tuple[str, str], Talk | str]


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Generator[Talker]:
    with talking(tmp_path_factory.mktemp("talking") / "journal") as running_server:
        yield running_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, talker: Talker) -> AsyncGenerator[Gateway]:
    tools = {name: {"action": "read"} for name in TOOLS}
    servers = {
        "open": catalog("open", talker.url, tools=tools),
        "quiet": catalog("quiet", talker.url, tools=tools, server_requests=[]),
    }
    root = tmp_path_factory.mktemp("clients")
    async with running(root, servers=servers, files={"rules/open.yaml": RULES}) as started:
        yield started


@pytest.fixture(scope="module")
def talks() -> Talks:
    """The conversations that were held already: one of each client serves all tests."""
    return {}


@pytest.fixture(params=CLIENTS, ids="-".join)
def talk(request: pytest.FixtureRequest, gateway: Gateway, talks: Talks) -> Talk:
    return _remembered(request.param, gateway, talks)


def _remembered(client: tuple[str, str], gateway: Gateway, talks: Talks) -> Talk:
    """The conversation of a client; one that failed is not held again for every test."""
    if client not in talks:
        try:
            talks[client] = Talk(*client, _held(*client, gateway))
        except (AssertionError, subprocess.TimeoutExpired) as failure:
            talks[client] = str(failure)
    talk = talks[client]
    assert isinstance(talk, Talk), talk
    return talk


def _held(program: str, mode: str, gateway: Gateway) -> dict[str, Any]:
    return held(program, mode, gateway.url("open"), gateway.url("quiet"))


def test_a_client_agrees_with_the_server_on_the_newest_revision_that_both_know(talk: Talk) -> None:
    assert talk.open["revision"] == ("2026-07-28" if talk.modern else "2025-11-25")


def test_a_client_sees_what_it_may_call_and_nothing_else(talk: Talk) -> None:
    assert talk.open["tools"] == sorted(set(TOOLS) - {"forbidden"})


def test_an_allowed_call_is_answered_by_the_server(talk: Talk) -> None:
    assert talk.open["allowed"] == {"error": False, "text": "hi"}


def test_a_refused_call_tells_the_model_why_and_never_runs(talk: Talk, talker: Talker) -> None:
    assert talk.open["denied"]["error"]
    assert "it would be a pity" in talk.open["denied"]["text"]
    assert talker.happened("forbidden") == []


def test_the_session_survives_a_refusal(talk: Talk) -> None:
    assert talk.open["after"] == {"error": False, "text": "still here"}


def test_progress_arrives_in_order(talk: Talk) -> None:
    assert talk.open["progress"] == [1, 2, 3]


def test_logs_arrive(talk: Talk) -> None:
    assert talk.open["logged"] == ["a word"]


def test_a_client_that_listens_hears_that_the_tools_changed(talk: Talk) -> None:
    assert talk.open["news"]


async def test_a_cancelled_call_ends_on_the_server_too(talk: Talk, talker: Talker) -> None:
    async def told() -> bool | None:
        return talk.name in talker.happened("cancelled") or None

    assert talk.open["cancelled"]
    assert talk.name in talker.happened("waiting")
    await until(told, lambda: f"the server was not told: {talker.happened('cancelled')}")


def test_a_server_that_may_samples_the_clients_model(talk: Talk) -> None:
    assert not talk.open["sampled"]["error"]
    assert "word" in talk.open["sampled"]["text"]


def test_a_server_that_may_asks_the_user(talk: Talk) -> None:
    assert not talk.open["elicited"]["error"]
    assert "Ada" in talk.open["elicited"]["text"]


def test_a_stream_that_breaks_off_is_resumed_by_the_client_itself(talk: Talk) -> None:
    assert talk.open["resumed"] == {"error": False, "text": "came back"}


def test_the_session_lives_to_its_end(talk: Talk) -> None:
    assert talk.open["last"] == {"error": False, "text": "bye"}


@pytest.mark.parametrize("question", ["sampled", "elicited"])
def test_a_server_that_may_not_ask_gets_an_error_and_the_client_hears_nothing(talk: Talk, question: str) -> None:
    """In the old era the server is told, and its tool goes on; in the new one its answer is refused as a whole."""
    said = talk.quiet[question]
    assert "word" not in said["text"]
    assert "Ada" not in said["text"]
    if talk.modern:
        assert said["error"]
        assert "server_requests_are_agreed" in said["text"]
    else:
        assert said["text"].startswith("the client refused: ")
        assert not said["error"]


def test_the_session_survives_a_question_that_was_refused(talk: Talk) -> None:
    assert talk.quiet["last"] == {"error": False, "text": "bye"}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_every_refused_question_is_in_the_journal(gateway: Gateway, talks: Talks, mode: str) -> None:
    modern = _remembered(("python2", mode), gateway, talks).modern
    asked = [record["input"] for record in gateway.records("decided") if _refused(record)]
    refused = {
        each["target"]["name"]
        for each in asked
        if each["server"]["id"] == "quiet" and (each["message"]["era"] == "modern") is modern
    }
    assert refused == {"sampling/createMessage", "elicitation/create"}


def _refused(record: dict[str, Any]) -> bool:
    return record["phase"] == "server_request" and record["outcome"] == "deny"


def test_programs_run_at_the_same_time_do_not_hear_of_each_other(gateway: Gateway, talker: Talker) -> None:
    async def both() -> list[dict[str, Any]]:
        return await asyncio.gather(
            *(asyncio.to_thread(_held, "python2", mode, gateway) for mode in ("legacy", "auto"))
        )

    for said in asyncio.run(both()):
        assert said["open"]["progress"] == [1, 2, 3]
        assert said["open"]["logged"] == ["a word"]
        assert "Ada" in said["open"]["elicited"]["text"]
