"""The tokens that the hub accepts and the keys that it verifies with, as in its current settings.

Rule 1: each list is replaced as a whole. A caller that has begun to read the old list finishes with the old list.
Rule 2: an expired token is not accepted. The hub warns 14 and 3 days before the end of a token, once each.
"""

import time
from collections.abc import Sequence
from typing import Final, Literal

from gateway.artifact.signature_checks import VerifyingKey
from gateway.hub.bearer_tokens import TokenHolder
from gateway.hub.metrics import HubEventLog

_DAY_NS: Final = 86_400 * 1_000_000_000
WARNED_DAYS: Final = (3, 14)
"""Days before the end of a token at which the hub warns."""

_Ending = Literal["far", "14 days", "3 days", "over"]


class Credentials:
    """The current tokens and keys; only one thread may change them."""

    def __init__(self, callers: Sequence[TokenHolder], keys: Sequence[VerifyingKey], report: HubEventLog) -> None:
        self.callers: Sequence[TokenHolder] = callers
        self.keys: Sequence[VerifyingKey] = keys
        """Keys that may sign policy bundles."""
        self._report: Final = report
        self._told: dict[str, _Ending] = {}

    def look(self, unix_ns: int) -> None:
        """Log tokens that expire soon, or have expired."""
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
        """Return the seconds until the first token ends, negative if it has ended; None if no token ends."""
        ends = [each.expires_unix_ns for each in self.callers if each.expires_unix_ns]
        return (min(ends) - time.time_ns()) / 1e9 if ends else None


def _ending(caller: TokenHolder, unix_ns: int) -> _Ending:
    left = caller.expires_unix_ns - unix_ns
    if not caller.expires_unix_ns or left > WARNED_DAYS[1] * _DAY_NS:
        return "far"
    if left > WARNED_DAYS[0] * _DAY_NS:
        return "14 days"
    return "3 days" if left > 0 else "over"
