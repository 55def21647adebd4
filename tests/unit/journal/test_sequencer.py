"""Positions in the journal, which only increase."""

import time

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.journal.sequencer import PendingEntry, Sequencer, size_of


@given(clock=st.lists(st.integers(0, 10**18), min_size=1, max_size=12), sizes=st.integers(1, 3))
def test_positions_only_increase_even_if_the_clock_goes_back(clock: list[int], sizes: int) -> None:
    stamp, placed = Sequencer("w"), list[tuple[int, int]]()
    with pytest.MonkeyPatch.context() as patch:
        for reading in clock:
            patch.setattr(time, "time_ns", lambda reading=reading: reading)
            lines, sequences = stamp.lines([PendingEntry(b'{"kind":"x"}')] * sizes)
            records = [orjson.loads(line) for line in lines.splitlines()]
            assert [record["sequence"] for record in records] == list(sequences)
            placed += [(record["at"], record["sequence"]) for record in records]
    assert placed == sorted(placed)
    assert [sequence for _, sequence in placed] == list(range(1, len(placed) + 1))


def test_the_size_of_entries_is_never_underestimated() -> None:
    stamp = Sequencer("w" * 80)
    stamp.sequence = 10**15
    entries = [PendingEntry(b'{"kind":"x"}')] * 3
    assert len(stamp.lines(entries)[0]) <= size_of(entries)
