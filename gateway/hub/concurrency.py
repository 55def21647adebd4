"""How many calls of a kind are under way at once, counted by the role that they are made with.

Rule 1: a role has seats of its own: who reads crowds out nobody who publishes or stops, and no gateway.
Rule 2: a seat is taken until the answer was sent, and nobody queues for one.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from gateway.hub.bearer_tokens import ROLES, Role, TokenHolder

DOWNLOADS: Final = 4
"""Artifacts that one role downloads at once."""
LOOKS: Final = 8
"""Other answers that one role is given at once."""


class ConcurrencyLimits:
    """Not to be shared between threads."""

    def __init__(self, most: int) -> None:
        self.most: Final = most
        self._taken: Final[Counter[Role]] = Counter()

    @contextmanager
    def taken(self, role: Role) -> Generator[bool]:
        """A seat while the block runs; False where none is free."""
        free = self._taken[role] < self.most
        self._taken[role] += free
        try:
            yield free
        finally:
            self._taken[role] -= free


def acting(caller: TokenHolder, roles: Sequence[Role]) -> Role:
    """The role that a call is made with: of those that open it to the caller, the one that may do most."""
    return next(role for role in ROLES if role in roles and role in caller.roles)
