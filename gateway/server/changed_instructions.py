"""The warning that a server gives other instructions than the pinned ones.

Rule 1: a server causes at most one line a minute; the line says how many results it stands for.
"""

import logging
from typing import Final

_LOG: Final = logging.getLogger(__name__)
_EVERY_NS: Final = 60_000_000_000


class ChangedInstructions:
    """What was logged of each server; servers are those of the catalog, so they are few."""

    def __init__(self) -> None:
        """Begin without a line."""
        self._logged: Final[dict[str, int]] = {}
        self._since: Final[dict[str, int]] = {}

    def note(self, server: str, sha256: str, monotonic_ns: int) -> None:
        """Log a result whose instructions were removed, or count it for the next line."""
        count = self._since.get(server, 0) + 1
        before = self._logged.get(server)
        if before is not None and monotonic_ns - before < _EVERY_NS:
            self._since[server] = count
            return
        self._since[server] = 0
        self._logged[server] = monotonic_ns
        _LOG.warning(
            "the instructions of a server are not the reviewed ones, and were removed; "
            "compare them with `mcp-admission catalog diff`",
            extra={"server": server, "sha256": sha256, "results": count},
        )
