"""Questions about the owner of names, passed to the other workers over the control channels of real processes."""

import asyncio
import os
import signal
from pathlib import Path

from gateway.app.worker_peers import SupervisedPeers
from gateway.protocol.ownership_exchange import Claim, Held, united
from tests.unit.supervisor.support import Supervisor

CLAIM = Claim(kind="task", server="s", principal="p", names=("a", "b"))


async def test_a_worker_learns_the_names_that_others_hold_and_not_its_own(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 3}) as supervisor:
        await supervisor.ready()
        asking = (await supervisor.call("/claim"))["worker"]
        answered = await supervisor.event("claim_answered")
        assert answered["worker"] == asking
        held = ["held" if number != asking else "" for number in range(3)]
        assert answered["texts"] == ",".join([*held, ""])


async def test_a_claim_to_a_worker_that_does_not_answer_has_no_answer(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {}) as supervisor:
        pids = await supervisor.worker_pids()
        answering = (await supervisor.call())["pid"]
        silent = next(pid for pid in pids if pid != answering)
        os.kill(silent, signal.SIGSTOP)
        try:
            async with asyncio.timeout(45):
                while not supervisor.named("claim_answered"):
                    await _claim(supervisor)
            assert supervisor.named("claim_answered")[0]["texts"] == "unanswered"
        finally:
            os.kill(silent, signal.SIGCONT)


async def _claim(supervisor: Supervisor) -> None:
    """Call until a worker answers; the kernel gives some connections to the stopped one, and those get no answer."""
    try:
        async with asyncio.timeout(5):
            await supervisor.attempt("/claim")
            await supervisor.event("claim_answered")
    except TimeoutError:
        return


async def test_the_only_worker_has_no_peers_that_hold_anything(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, {"workers": 1}) as supervisor:
        await supervisor.ready()
        await supervisor.call("/claim")
        assert (await supervisor.event("claim_answered"))["texts"] == ",,,"


async def test_a_worker_without_a_supervisor_has_no_answer() -> None:
    assert await SupervisedPeers().held(CLAIM) is None


async def test_a_claim_gets_the_answer_with_its_number() -> None:
    peers, sent = SupervisedPeers(), list[int]()
    peers.send = lambda number, _: sent.append(number)
    waiting = [asyncio.create_task(peers.held(CLAIM)) for _ in range(2)]
    while len(sent) < 2:
        await asyncio.sleep(0)  # noqa: TID251 - lets both claims be sent
    peers.answered(99, Held(texts=("x", "x")))
    peers.answered(sent[1], None)
    peers.answered(sent[0], Held(texts=("held", "")))
    assert [await one for one in waiting] == [Held(texts=("held", "")), None]
    peers.answered(sent[0], Held(texts=("late", "late")))


async def test_one_principal_takes_no_more_than_its_share_of_open_claims() -> None:
    peers, sent = SupervisedPeers(), list[int]()
    peers.send = lambda number, _: sent.append(number)
    mine = [asyncio.create_task(peers.held(CLAIM)) for _ in range(10)]
    other = asyncio.create_task(peers.held(Claim(kind="request", server="s", principal="q", names=(1,))))
    done, _ = await asyncio.wait(mine, return_when=asyncio.FIRST_COMPLETED)
    assert {one.result() for one in done} == {None}
    assert len(sent) == 5
    for number in sent:
        peers.answered(number, Held(texts=("held",)))
    assert await other == Held(texts=("held",))
    await asyncio.gather(*mine)


def test_answers_of_several_workers_are_united() -> None:
    answers = [Held(texts=("", "held")), Held(texts=("held", ""), shared=True), Held(texts=())]
    assert united(CLAIM, answers) == Held(texts=("held", "held"), shared=True)
    assert united(CLAIM, []) == Held(texts=("", ""))
