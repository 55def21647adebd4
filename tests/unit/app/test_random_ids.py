"""Call ids, which come from blocks of random bytes."""

import re

from gateway.app.worker_context import RandomIds

_IDS = 1_000  # several blocks


def test_no_call_id_is_handed_out_twice() -> None:
    one, other = RandomIds(), RandomIds()
    made = [ids.call_id() for _ in range(_IDS) for ids in (one, other)]
    assert len(set(made)) == len(made)


def test_a_call_id_is_16_bytes_in_hexadecimal() -> None:
    ids = RandomIds()
    assert all(re.fullmatch("[0-9a-f]{32}", ids.call_id()) for _ in range(_IDS))


def test_all_bits_of_call_ids_vary() -> None:
    ids = RandomIds()
    made = [int(ids.call_id(), 16) for _ in range(_IDS)]
    zeros = ones = 0
    for number in made:
        ones |= number
        zeros |= ~number
    assert ones == 2**128 - 1
    assert zeros & (2**128 - 1) == 2**128 - 1
