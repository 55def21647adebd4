from gateway.opa.backoff import FIRST, LONGEST, STEADY, Backoff


def test_the_pause_doubles_up_to_the_longest_while_things_die_young() -> None:
    pace = Backoff(lambda: 0.0)
    pauses = [pace.pause() for _ in range(10)]
    assert pauses[:4] == [FIRST, FIRST * 2, FIRST * 4, FIRST * 8]
    assert pauses[-1] == LONGEST


def test_after_a_steady_life_the_pause_is_short_again() -> None:
    now = [0.0]
    pace = Backoff(lambda: now[0])
    pace.pause()
    pace.pause()
    pace.started()
    now[0] += STEADY + 1
    assert pace.pause() == FIRST
