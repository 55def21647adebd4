import asyncio
from collections.abc import Callable

import msgspec
import pytest

from gateway.admission.decision import ListingVerdict, PolicyFailure, Verdict
from gateway.opa.circuit_breaker import CircuitBreaker
from gateway.opa.client import DECISION, LISTING, Deadlines, OpaClient
from gateway.opa.revision import Highwater
from gateway.opa.transport import Broken, Exchanged
from tests.unit.opa.stub import GOOD
from tests.unit.opa.support import MemoryHighwater, question, until

REFUSED_BY_OPA = (
    b'{"code":"internal_error","message":"m","errors":[{"code":"eval_type_error","message":"m",'
    b'"location":{"file":"mcp/requirements/a/a.rego","row":1}}]}'
)


def good(seq: int = 1) -> Exchanged:
    return Exchanged(200, GOOD % seq)


class Script:
    """An exchange that gives prepared outcomes, the last one for ever."""

    def __init__(self, *outcomes: Exchanged | Broken) -> None:
        self.outcomes = list(outcomes)
        self.asked: list[tuple[str, bytes | None]] = []
        self.closed = False

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        self.asked.append((path, body))
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]

    async def close(self) -> None:
        self.closed = True


class Silent(Script):
    """A transport that never answers, and records when its exchange was canceled."""

    def __init__(self) -> None:
        super().__init__(Broken("never"))
        self.given_up = 0

    async def exchange(self, path: str, body: bytes | None = None) -> Exchanged | Broken:
        self.asked.append((path, body))
        try:
            await asyncio.Event().wait()
        finally:
            self.given_up += 1
        return self.outcomes[0]


class Full(MemoryHighwater):
    """A high-water mark on a full disk."""

    def raise_to(self, environment: str, seq: int) -> None:
        raise OSError(28, "No space left on device")


def client(
    script: Script,
    *,
    highwater: Highwater | None = None,
    threshold: int = 5,
    deadlines: Deadlines | None = None,
    clock: Callable[[], float] = lambda: 0.0,
) -> OpaClient:
    return OpaClient(
        script,
        highwater or MemoryHighwater(),
        ids=lambda: "decision-1",
        deadlines=deadlines or Deadlines(decision=0.02, listing=0.02),
        breaker=CircuitBreaker(clock, threshold=threshold),
    )


async def test_a_decision_comes_with_its_revision_and_an_id_of_ours() -> None:
    verdict = await client(Script(good())).decide(question())
    assert isinstance(verdict, Verdict)
    assert verdict.decision.outcome == "deny"
    assert (verdict.revision, verdict.decision_id) == ("dev@aaaaaaaaaaaa.1", "decision-1")


async def test_the_path_is_constant_and_asks_for_provenance_and_strict_builtins() -> None:
    script = Script(good())
    await client(script).decide(question("../../../v1/policies", word="?x=y"))
    assert [path for path, _ in script.asked] == [DECISION]
    assert DECISION == "/v1/data/mcp/admission/decision?provenance=true&strict-builtin-errors=true"
    assert LISTING == "/v1/data/mcp/admission/listing?provenance=true&strict-builtin-errors=true"


async def test_the_body_is_the_policy_input() -> None:
    script = Script(good())
    await client(script).decide(question("files", word="wide", number=12345678901234567890))
    body = msgspec.json.decode(script.asked[0][1] or b"")
    assert body["input"]["server"] == {"id": "files"}
    assert body["input"]["arguments"] == {"word": "wide", "number": 12345678901234567890}
    assert body["input"]["schema"] == "mcp.input/v1"


@pytest.mark.parametrize(
    "outcome",
    [
        Broken("gone"),
        Exchanged(200, b"{}"),
        Exchanged(200, b"garbage"),
        Exchanged(503, b""),
        Exchanged(200, (GOOD % 1).replace(b"dev@aaaaaaaaaaaa.1", b"")),
        Exchanged(200, (GOOD % 1).replace(b"dev@aaaaaaaaaaaa.1", b"latest")),
        Exchanged(200, (GOOD % 1).replace(b'"policy"', b'"another"')),
    ],
)
async def test_everything_else_is_an_unavailable_policy_and_opens_the_breaker(outcome: Exchanged | Broken) -> None:
    script = Script(outcome)
    opa = client(script, threshold=3)
    for _ in range(4):
        failure = await opa.decide(question())
        assert isinstance(failure, PolicyFailure)
        assert failure.code == "policy_unavailable"
    assert len(script.asked) == 3


async def test_evaluation_errors_never_open_the_breaker() -> None:
    opa = client(Script(*[Exchanged(500, REFUSED_BY_OPA)] * 20, good()), threshold=3)
    for _ in range(20):
        failure = await opa.decide(question())
        assert isinstance(failure, PolicyFailure)
        assert (failure.code, failure.requirement) == ("policy_error", "a")
    assert isinstance(await opa.decide(question()), Verdict)


async def test_a_question_that_cannot_be_written_is_refused_unasked() -> None:
    script = Script(good())
    opa = client(script, threshold=1)
    for value in ("\ud800", object()):
        failure = await opa.decide(question(word=value))
        assert isinstance(failure, PolicyFailure)
        assert failure.code == "policy_error"
    assert script.asked == []
    assert opa.breaker.closed


async def test_an_opa_that_is_silent_beyond_the_deadline_is_given_up() -> None:
    script = Silent()
    failure = await client(script).decide(question())
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_unavailable"
    assert (len(script.asked), script.given_up) == (1, 1)


async def test_slow_queries_deny_only_their_own_caller() -> None:
    script = Silent()
    opa = client(script, threshold=1)
    for _ in range(3):
        await opa.decide(question())
        await opa.listing(question())
    assert len(script.asked) == 6
    assert opa.breaker.closed


async def test_a_silence_to_the_question_of_our_own_opens_the_breaker() -> None:
    script = Silent()
    opa = client(script)
    for _ in range(2):
        assert isinstance(await opa.probe(question()), PolicyFailure)
    await opa.decide(question())
    assert len(script.asked) == 2


async def test_a_probe_that_takes_too_long_leaves_its_place_to_the_next() -> None:
    script = Silent()
    opa = client(script, threshold=1, clock=iter(range(100)).__next__)
    await opa.probe(question())
    for _ in range(3):
        await opa.decide(question())
    assert len(script.asked) == 4


async def test_a_caller_that_disconnects_cancels_its_query_and_does_not_count() -> None:
    script = Silent()
    opa = client(script, threshold=1, deadlines=Deadlines(decision=60))
    asking = asyncio.create_task(opa.decide(question()))
    await until(lambda: len(script.asked) == 1)
    asking.cancel()
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert script.given_up == 1
    assert opa.breaker.closed


async def test_a_revision_older_than_the_enforced_one_denies_and_keeps_the_breaker_closed() -> None:
    opa = client(Script(good(5), good(4)), threshold=1)
    assert isinstance(await opa.decide(question()), Verdict)
    failure = await opa.decide(question())
    assert isinstance(failure, PolicyFailure)
    assert (failure.code, failure.revision) == ("policy_regressed", "dev@aaaaaaaaaaaa.4")
    assert opa.revision == "dev@aaaaaaaaaaaa.5"
    assert opa.breaker.closed


async def test_an_answer_overtaken_by_a_newer_revision_is_asked_for_again() -> None:
    opa = client(Script(good(5), good(4), good(5)))
    await opa.decide(question())
    verdict = await opa.decide(question())
    assert isinstance(verdict, Verdict)
    assert verdict.revision == "dev@aaaaaaaaaaaa.5"


async def test_a_revision_lower_than_an_earlier_process_enforced_denies() -> None:
    failure = await client(Script(good(6)), highwater=MemoryHighwater(seq=7)).decide(question())
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_regressed"


async def test_a_revision_that_cannot_be_kept_durably_is_not_enforced() -> None:
    failure = await client(Script(good()), highwater=Full()).decide(question())
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_unavailable"
    assert "No space left" in failure.detail


def listing_of(*listed: bool) -> Exchanged:
    items = [{"listed": one, "refused_by": [] if one else ["rules_permit"]} for one in listed]
    body = {
        "provenance": {"bundles": {"policy": {"revision": "dev@aaaaaaaaaaaa.1"}}},
        "result": {"schema": "mcp.listing/v1", "items": items},
    }
    return Exchanged(200, msgspec.json.encode(body))


async def test_a_listing_has_one_verdict_for_each_item() -> None:
    script = Script(listing_of(True, False))
    verdict = await client(script).listing(question(items=["a", "b"]))
    assert isinstance(verdict, ListingVerdict)
    assert [item.listed for item in verdict.listing.items] == [True, False]
    assert [path for path, _ in script.asked] == [LISTING]


@pytest.mark.parametrize("listed", [[], [True], [True, True, True]])
async def test_a_listing_of_another_length_is_a_failure(listed: list[bool]) -> None:
    failure = await client(Script(listing_of(*listed))).listing(question(items=["a", "b"]))
    assert isinstance(failure, PolicyFailure)
    assert failure.code == "policy_unavailable"


async def test_closing_closes_the_connections() -> None:
    script = Script(good())
    await client(script).close()
    assert script.closed


@pytest.mark.parametrize("ask", ["decide", "revise", "listing", "refused"])
async def test_each_failure_to_decide_is_reported_with_its_cause(ask: str) -> None:
    failures: list[PolicyFailure] = []
    made = client(Script(Broken("connection refused")))
    made.on_failure = failures.append
    if ask == "refused":
        made.refuse(PolicyFailure(code="policy_stale", detail="not confirmed"))
    answer = await getattr(made, "decide" if ask == "refused" else ask)(question())
    assert failures == [answer]
    await made.probe(question())
    assert len(failures) == 1


async def test_a_decision_is_not_a_failure() -> None:
    failures: list[PolicyFailure] = []
    made = client(Script(good()))
    made.on_failure = failures.append
    assert isinstance(await made.decide(question()), Verdict)
    assert failures == []
