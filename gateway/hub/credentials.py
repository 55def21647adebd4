"""Whom the hub knows and whose signatures it takes, as its settings say now.

Rule 1: each is replaced whole; whoever has begun to read the old one ends with the old one.
Rule 2: a token that has ended opens nothing; that it will end is told in time, each step once.
"""

import time
from collections.abc import Sequence
from typing import Final, Literal

from gateway.artifact.signature_checks import VerifyingKey
from gateway.hub.bearer_tokens import TokenHolder
from gateway.hub.metrics import HubEventLog

_DAY_NS: Final = 86_400 * 1_000_000_000
WARNED_DAYS: Final = (3, 14)
"""So many days before its end a token is told of again."""

_Ending = Literal["far", "14 days", "3 days", "over"]


class Credentials:
    """Not to be changed by more than one thread."""

    def __init__(self, callers: Sequence[TokenHolder], keys: Sequence[VerifyingKey], report: HubEventLog) -> None:
        self.callers: Sequence[TokenHolder] = callers
        self.keys: Sequence[VerifyingKey] = keys
        """Those that policy bundles may be signed with."""
        self._report: Final = report
        self._told: dict[str, _Ending] = {}

    def look(self, unix_ns: int) -> None:
        """Tell of tokens that end soon, or have ended."""
        endings: dict[str, _Ending] = {each.name: _ending(each, unix_ns) for each in self.callers}
        for each in self.callers:
            ending = endings[each.name]
            if ending in {"far", self._told.get(each.name)}:
                continue
            if ending == "over":
                self._report("token_expired", name=each.name, expires=each.expires)
            else:
                self._report("token_expires_soon", name=each.name, expires=each.expires, within=ending)
        self._told = endings

    def next_end_s(self) -> float | None:
        """Seconds until the first token ends, negative where it has; None where none ever does."""
        ends = [each.expires_unix_ns for each in self.callers if each.expires_unix_ns]
        return (min(ends) - time.time_ns()) / 1e9 if ends else None


def _ending(caller: TokenHolder, unix_ns: int) -> _Ending:
    left = caller.expires_unix_ns - unix_ns
    if not caller.expires_unix_ns or left > WARNED_DAYS[1] * _DAY_NS:
        return "far"
    if left > WARNED_DAYS[0] * _DAY_NS:
        return "14 days"
    return "3 days" if left > 0 else "over"
