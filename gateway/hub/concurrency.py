"""Limits on concurrent calls of one kind, counted by the role of the call.

Rule 1: each role has its own limit, so readers cannot starve publishers, responders or gateways.
Rule 2: a call holds its slot until its response is sent. Calls do not queue for a slot.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

from gateway.hub.bearer_tokens import ROLES, Role, TokenHolder

DOWNLOADS: Final = 4
"""Maximum concurrent artifact downloads of one role."""
LOOKS: Final = 8
"""Maximum concurrent read calls, other than downloads, of one role."""


class ConcurrencyLimits:
    """A limit on concurrent calls for each role; not thread-safe."""

    def __init__(self, most: int) -> None:
        self.most: Final = most
        self._taken: Final[Counter[Role]] = Counter()

    @contextmanager
    def taken(self, role: Role) -> Generator[bool]:
        """Hold a slot while the block runs; yield False if none is free."""
        free = self._taken[role] < self.most
        self._taken[role] += free
        try:
            yield free
        finally:
            self._taken[role] -= free


def acting(caller: TokenHolder, roles: Sequence[Role]) -> Role:
    """Return the role of a call: of the caller's roles that permit it, the most powerful one."""
    return next(role for role in ROLES if role in roles and role in caller.roles)
