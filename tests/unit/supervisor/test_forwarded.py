"""Log records of a worker reach the supervisor with the values in addition to the message."""

import logging

from gateway.supervisor.worker_main import Forwarded


def test_values_in_addition_to_the_message_are_sent_with_it() -> None:
    events: list[tuple[str, dict[str, object]]] = []

    def report(event: str, /, **fields: object) -> None:
        events.append((event, fields))

    logger = logging.getLogger("gateway.test.forwarded")
    logger.propagate = False
    logger.addHandler(Forwarded(report))
    logger.warning("the key set of an issuer cannot be fetched", extra={"url": "https://id.example", "level": "x"})
    assert events == [
        (
            "log",
            {
                "level": "WARNING",
                "logger": "gateway.test.forwarded",
                "message": "the key set of an issuer cannot be fetched",
                "url": "https://id.example",
            },
        )
    ]
