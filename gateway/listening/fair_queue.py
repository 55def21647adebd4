"""Queue of members with owners; it finds an owner's oldest member and the owner with the most members.

Rule 1: every operation takes constant time, so that many members do not make the next operation more expensive.
"""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

Member = TypeVar("Member", bound=Hashable)


class FairQueue(Generic[Member]):
    """Members by owner, oldest first."""

    def __init__(self) -> None:
        self._members: Final[dict[str, dict[Member, None]]] = {}
        self._owners: Final[dict[int, dict[str, None]]] = {}
        """Owners by the number of their members."""
        self._most = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def count(self, owner: str) -> int:
        """Return the number of members that an owner has."""
        return len(self._members.get(owner, ()))

    def add(self, owner: str, member: Member) -> None:
        """Append a member to its owner's queue; a member that is already there keeps its position."""
        members = self._members.setdefault(owner, {})
        if member in members:
            return
        members[member] = None
        self._size += 1
        self._moved(owner, len(members) - 1, len(members))

    def remove(self, owner: str, member: Member) -> None:
        """Remove a member; removing it twice changes nothing."""
        members = self._members.get(owner)
        if members is None or member not in members:
            return
        del members[member]
        self._size -= 1
        self._moved(owner, len(members) + 1, len(members))
        if not members:
            del self._members[owner]

    def oldest(self, owner: str) -> Member | None:
        """Return the oldest member of an owner."""
        return next(iter(self._members.get(owner, ())), None)

    def oldest_of_most(self) -> Member | None:
        """Return the oldest member of the owner with the most members."""
        return self.oldest(next(iter(self._owners[self._most]))) if self._most else None

    def _moved(self, owner: str, before: int, after: int) -> None:
        if before:
            del self._owners[before][owner]
            if not self._owners[before]:
                del self._owners[before]
        if after:
            self._owners.setdefault(after, {})[owner] = None
        if after > self._most or self._most not in self._owners:
            self._most = after
