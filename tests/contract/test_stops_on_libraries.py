"""Stops by several selectors on the library of today and on earlier ones: an earlier one refuses more, never less."""

import time
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from gateway.admission.decision import Decision
from gateway.artifact.stops_bundle import Stop
from gateway.follow.acceptance import understands
from gateway.library import library
from gateway.opa.answer import PolicyAnswer, read_decision
from gateway.opa.client import DECISION
from gateway.opa.transport import Broken
from gateway.policy.golden import registered
from gateway.policy.scenario_question import acting, asked, question
from gateway.review import sidecar
from gateway.review.candidate import Candidate, from_file
from gateway.review.sidecar import Binary
from gateway.review.stop_preview import Hits, agents_of, hits

EARLIER: Final = sorted((Path(__file__).parent / "earlier").glob("*.tar.gz"))
READ: Final = {"agent": "dev", "server": "demo", "tool": "read_file", "arguments": {"path": "a"}}
SEND: Final = {"agent": "dev", "server": "demo", "tool": "send_message", "arguments": {"to": "bob@example.com"}}


def stop(kind: Any, name: str, **also: str) -> Stop:
    chosen: Any = also
    until = time.time_ns() + 600 * 10**9
    return Stop(id="s1", kind=kind, name=name, until_unix_ns=until, because="x", by="x", at="", also=chosen)


@pytest.fixture(params=EARLIER, ids=lambda place: place.name)
def earlier(request: pytest.FixtureRequest) -> Candidate:
    found = from_file(request.param)
    assert isinstance(found, Candidate)
    return found


async def outcomes(candidate: Candidate, opa: Path, *stops: Stop) -> list[tuple[str, list[str]]]:
    """Return the outcome of a call that reads and of one that sends, and the requirements that refuse them."""
    found: list[tuple[str, list[str]]] = []
    async with sidecar.asked(candidate, Binary(opa, library()), stops) as exchange:
        for words in (READ, SEND):
            body = msgspec.json.encode({"input": question_of(candidate, words)})
            answer = await exchange.exchange(DECISION, body)
            assert not isinstance(answer, Broken)
            decided = read_decision(answer)
            assert isinstance(decided, PolicyAnswer), decided
            decision: Decision = decided.result
            found.append((decision.outcome, [reason.requirement for reason in decision.reasons]))
    return found


def question_of(candidate: Candidate, words: Any) -> Any:
    stated = asked(words, now=time.time())
    made = question(stated, acting(stated, registered(candidate.data)), candidate.data)
    return msgspec.to_builtins(made)


STOPPED: Final = ("deny", ["nothing_is_stopped"])


async def test_an_earlier_library_takes_a_newer_kind_for_damage_and_stops_everything(
    earlier: Candidate, opa: Path
) -> None:
    assert b"emergency/v2" not in earlier.files["mcp/lib/emergency/emergency.rego"]
    assert [one[0] for one in await outcomes(earlier, opa)] == ["allow", "allow"]
    assert await outcomes(earlier, opa, stop("kind", "cursor", action="delete")) == [STOPPED, STOPPED]


async def test_an_earlier_library_stops_all_of_what_a_first_kind_names(earlier: Candidate, opa: Path) -> None:
    assert await outcomes(earlier, opa, stop("agent", "dev", action="delete")) == [STOPPED, STOPPED]
    assert [one[0] for one in await outcomes(earlier, opa, stop("agent", "bob", action="send"))] == ["allow", "allow"]


@pytest.fixture
def today(earlier: Candidate, checkout: Path) -> Candidate:
    """The earlier bundle with the emergency library of today."""
    path = "mcp/lib/emergency/emergency.rego"
    return msgspec.structs.replace(earlier, files={**earlier.files, path: (checkout / "rego" / path).read_bytes()})


async def test_the_library_of_today_stops_what_all_selectors_match(today: Candidate, opa: Path) -> None:
    found = await outcomes(today, opa, stop("agent", "dev", action="send"))
    assert [found[0][0], found[1]] == ["allow", STOPPED]
    found = await outcomes(today, opa, stop("action", "read", server="demo"))
    assert [found[0], found[1][0]] == [STOPPED, "allow"]


async def test_a_preview_is_what_the_policy_says(today: Candidate, opa: Path) -> None:
    made = stop("agent", "dev", action="send")
    records: list[Any] = [
        {"outcome": "allow", "input": question_of(today, READ)},
        *[{"outcome": "allow", "input": question_of(today, SEND)}] * 3,
        {"outcome": "deny", "input": question_of(today, SEND)},
        {"outcome": "allow"},
    ]
    async with sidecar.asked(today, Binary(opa, library()), (made,)) as exchange:
        assert await hits(exchange, records, time.time_ns()) == Hits(messages=3, calls=3, of=5, unknown=1)
    agents = agents_of(made, today.data)
    assert (list(agents.names), agents.of, agents.exact) == (["dev"], len(today.data["agents"]), False)


def test_the_bundle_of_today_says_that_it_can_enforce_such_stops(earlier: Candidate, today: Candidate) -> None:
    def artifact(candidate: Candidate) -> Any:
        class Held:
            files = candidate.files

        return Held()

    assert (understands(artifact(earlier)), understands(artifact(today))) == (False, True)
