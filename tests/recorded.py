"""A journal written by the product from decisions of a real OPA on a checked policy content."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from gateway.admission.decision import Verdict
from gateway.admission.enforce import ruling
from gateway.admission.principal import ANONYMOUS, Principal
from gateway.admission.record import Decided, Occasion
from gateway.admission.record_masking import Level, Masking, Seal, in_arguments
from gateway.admission.recording import decided
from gateway.journal.journal_options import JournalOptions
from gateway.journal.writer import JournalWriter
from gateway.policy.build import Content
from gateway.policy.packed_bundle_answers import NoDecision
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking
from gateway.policy.scenario_question import ActingCaller, asked, question

NOW: Final = 1_795_183_200.0


def records(
    content: Content,
    opa: Path,
    calls: Sequence[Mapping[str, Any]],
    *,
    principal: Principal = ANONYMOUS,
    level: Level = "full",
    kept: Iterable[str] = (),
    reads: bool = True,
    seal: Seal | None = None,
) -> list[Decided]:
    """Return the records of these calls, stated as scenarios state them, by the anonymous agent `dev` or another."""
    acting = ActingCaller(principal, "")
    revision = f"{content.environment.name}@{content.identity}.1"
    stated = [
        question(asked({"agent": "dev", "server": "demo", **call}, now=NOW), acting, content.data) for call in calls
    ]
    masking = Masking(level=level, key=b"k" * 32, kept=in_arguments(kept), reads=reads, seal=seal)
    found: list[Decided] = []
    answers = asking(content, OpaCommand(opa), [acting]).answers(stated)
    for number, (each, decision) in enumerate(zip(stated, answers, strict=True)):
        assert not isinstance(decision, NoDecision), decision
        verdict = Verdict(decision=decision, revision=revision, decision_id=f"d-{number}", micros=300)
        occasion = Occasion(call_id=f"call-{number}", unix_ns=each.context.time.unix_ns, monotonic_ns=1)
        enforced = ruling(verdict, each.target)
        found.append(decided(each, verdict, enforced=enforced, occasion=occasion, masking=masking))
    return found


def write(directory: Path, made: Iterable[Decided]) -> Path:
    """Write a journal of these records, and return its directory."""
    asyncio.run(_written(directory, made))
    return directory


async def _written(directory: Path, made: Iterable[Decided]) -> None:
    journal = JournalWriter(directory, JournalOptions(segment_bytes=1024 * 1024), writer="w1")
    journal.start()
    for each in made:
        await journal.decided(each)
    await journal.close()
