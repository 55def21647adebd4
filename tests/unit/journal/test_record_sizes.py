"""The sizes of records: limits on the bytes of a usual exchange."""

from typing import Any, Final

import pytest

from gateway.admission.policy_input import PolicyInput
from gateway.admission.record import Completed, Decided
from tests.recorded_lines import lines_of
from tests.unit.journal.samples import DENY, SERVICE, TEXT, TOOLS, USER, asked, completion, listing, record

ALLOW_BYTES: Final = 1200
"""A third of the 3.5 KB of version 1."""
EXCHANGES: Final[dict[str, tuple[Decided, Completed | None, int]]] = {
    "an allow with a service token": (record(asked(SERVICE)), completion(TEXT), ALLOW_BYTES),
    "an allow with a JWT": (record(asked(USER)), completion(TEXT), ALLOW_BYTES),
    "a deny": (record(asked(SERVICE), DENY), None, 1100),
    "a list of tools": (record(listing(SERVICE)), completion(TOOLS), 1100),
    "a list of 100 tools, 10 of them hidden": (record(listing(SERVICE)), completion(TOOLS, hidden=10), 1120),
}


def lines(*records: Any) -> list[bytes]:
    return lines_of(*records, at=1_796_051_940_690_614_044, writer="worker0-5941725c6a", sequence=12_345).splitlines()


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_an_exchange_of_a_known_sender_takes_few_bytes(exchange: str) -> None:
    decision, done, limit = EXCHANGES[exchange]
    described, *written = lines(decision, *([done] if done else []))
    assert b'"kind":"described"' in described
    size = sum(len(line) + 1 for line in written)
    assert size <= limit, size


@pytest.mark.parametrize("principal", [SERVICE, USER])
def test_a_description_is_smaller_than_a_call_of_version_1(principal: Any) -> None:
    described, *_ = lines(record(asked(principal)))
    assert len(described) <= 2000


def test_a_thousand_calls_of_one_sender_are_described_once() -> None:
    question: PolicyInput = asked(USER)
    written = lines(*[record(question) for _ in range(1000)])
    assert len(written) == 1001
