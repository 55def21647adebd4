"""A worker's question about the owner of names in a message, passed to all other workers.

Rule 1: the answer is null if another worker does not answer in time; a worker that does not run owns nothing.
Rule 2: at most `_AT_ONCE` questions are open; a further question is answered with null at once.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from gateway.protocol.ownership_exchange import united
from gateway.supervisor.control_channel import Claimed
from gateway.supervisor.worker_pool import WorkerProcess

_AT_ONCE: Final = 512


class ClaimExchange:
    """Passes claims from each worker to the others, and their answers back."""

    def __init__(self, workers: Sequence[WorkerProcess]) -> None:
        """Listen to all workers."""
        self._workers: Final = workers
        self._open: Final[set[asyncio.Task[None]]] = set()
        for worker in workers:
            worker.on_claim = self._claimed

    def _claimed(self, asking: WorkerProcess, claimed: Claimed) -> None:
        if len(self._open) >= _AT_ONCE:
            asking.answer(claimed.number, None)
            return
        task = asyncio.get_running_loop().create_task(self._answered(asking, claimed))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _answered(self, asking: WorkerProcess, claimed: Claimed) -> None:
        others = [worker.held(claimed.claim) for worker in self._workers if worker is not asking]
        answers = await asyncio.gather(*others)
        known = [answer for answer in answers if answer is not None]
        asking.answer(claimed.number, united(claimed.claim, known) if len(known) == len(answers) else None)
