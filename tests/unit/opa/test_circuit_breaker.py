from gateway.opa.circuit_breaker import FIRST_PAUSE, LONGEST_PAUSE, CircuitBreaker


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def opened() -> tuple[CircuitBreaker, Clock]:
    clock = Clock()
    breaker = CircuitBreaker(clock, threshold=3)
    for _ in range(3):
        breaker.failed()
    return breaker, clock


def test_it_opens_at_the_threshold_and_not_before() -> None:
    breaker = CircuitBreaker(Clock(), threshold=3)
    for _ in range(2):
        breaker.failed()
    assert breaker.admits()
    breaker.failed()
    assert not breaker.admits()


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = CircuitBreaker(Clock(), threshold=3)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.succeeded()
    assert breaker.admits()


def test_after_the_pause_exactly_one_question_probes() -> None:
    breaker, clock = opened()
    clock.now += FIRST_PAUSE
    assert breaker.admits()
    assert not breaker.admits()


def test_a_probe_that_is_answered_closes_it() -> None:
    breaker, clock = opened()
    clock.now += FIRST_PAUSE
    assert breaker.admits()
    breaker.succeeded()
    assert breaker.closed
    assert breaker.admits()


def test_a_probe_that_fails_doubles_the_pause_up_to_the_longest() -> None:
    breaker, clock = opened()
    pause = FIRST_PAUSE
    for _ in range(8):
        clock.now += pause
        assert breaker.admits()
        breaker.failed()
        pause = min(pause * 2, LONGEST_PAUSE)
        clock.now += pause * 0.99
        assert not breaker.admits()
        clock.now -= pause * 0.99


def test_a_probe_whose_asker_went_away_leaves_its_place_to_the_next() -> None:
    breaker, clock = opened()
    clock.now += FIRST_PAUSE
    assert breaker.admits()
    breaker.abandoned()
    assert breaker.admits()


def test_failures_of_questions_that_were_under_way_do_not_prolong_the_pause() -> None:
    breaker, clock = opened()
    clock.now += FIRST_PAUSE / 2
    breaker.failed()
    clock.now += FIRST_PAUSE / 2
    assert breaker.admits()


def test_two_timeouts_without_an_answer_between_open_the_breaker() -> None:
    breaker = CircuitBreaker(Clock())
    breaker.silent()
    assert breaker.closed
    breaker.silent()
    assert not breaker.closed


def test_a_timeout_after_an_answer_keeps_the_breaker_closed() -> None:
    breaker = CircuitBreaker(Clock())
    for _ in range(5):
        breaker.silent()
        breaker.succeeded()
    assert breaker.closed
