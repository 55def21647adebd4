"""The supervisor's questions to one worker, each answered by one `Told` with the same number.

Rule 1: the answer is null if it does not arrive in time, or if the worker ends.
"""

import asyncio
from typing import Final

from gateway.protocol.ownership_exchange import Claim
from gateway.supervisor.control_channel import About, Ask, ControlChannel, Told

ANSWER_S: Final = 2.0
"""Seconds in which a worker answers a question of the supervisor."""


class Questions:
    """The open questions to one worker process."""

    def __init__(self) -> None:
        self._open: dict[int, asyncio.Future[Told]] = {}
        self._asked = 0

    async def ask(self, channel: ControlChannel, about: About, claim: Claim | None = None) -> Told | None:
        """Return the worker's answer; None if it does not arrive in time."""
        self._asked += 1
        number = self._asked
        self._open[number] = asyncio.get_running_loop().create_future()
        channel.send(Ask(number, about, claim))
        try:
            return await asyncio.wait_for(self._open[number], ANSWER_S)
        except TimeoutError:
            return None
        finally:
            self._open.pop(number, None)

    def answer(self, told: Told) -> None:
        """Accept an answer; an answer after its deadline is dropped."""
        question = self._open.get(told.number)
        if question is not None and not question.done():
            question.set_result(told)

    def end(self) -> None:
        """Answer every open question with an empty answer: the worker has ended."""
        for number, question in self._open.items():
            if not question.done():
                question.set_result(Told(number=number))
