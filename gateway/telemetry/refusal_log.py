"""The log of refusals that an operator can fix (see `refusal_causes`).

Rule 1: the first refusal of a kind is logged at once; the following ones are counted, and logged once a minute.
Rule 2: the end is logged too: no refusal of the kind for a minute.
Rule 3: memory is bounded: beyond a number of kinds, servers share a line, and the oldest definitions are dropped.
Rule 4: a server that presents another definition each time does not fill the log: each minute has a limited number of
lines about its definitions, and one about its instructions.
Rule 5: the server's definition is part of the line as a text (`presented`). The supervisor has the reviewed words, and
replaces the text with the lines that changed.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from gateway.admission.refused_definition import RefusedDefinition, packed
from gateway.telemetry.logged_refusals import AT_EDGE, AT_SOURCE

EVERY_S: Final = 60.0
KINDS: Final = 200
DRIFTED: Final = 10_000
DRIFTED_A_MINUTE: Final = 100
"""Most lines about the definitions of one server; a line that is left out is logged if it recurs in a later minute."""
_WORDS: Final = 500
_COMPARE: Final = "compare it with `mcp-admission catalog diff`; then review it, or contact the server's owner"


class RefusalEvents(Protocol):
    """Receiver of events for the log."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class _Kind:
    """The refusals of one kind, and their times."""

    __slots__ = ("detail", "last", "left_out", "logged", "total")

    def __init__(self) -> None:
        self.detail = ""
        self.last = 0.0
        self.left_out = 0
        self.logged = -EVERY_S
        self.total = 0


class _Minute:
    """Number of lines about the definitions of a server in its current minute."""

    __slots__ = ("began", "left_out", "lines", "most")

    def __init__(self, most: int) -> None:
        self.began = -EVERY_S
        self.lines = 0
        self.left_out = 0
        self.most = most

    def admitted(self, now: float) -> int | None:
        """Return how many lines were left out before this one; None if it is left out too."""
        if now - self.began >= EVERY_S:
            self.began, self.lines = now, 0
        if self.lines >= self.most:
            self.left_out += 1
            return None
        self.lines += 1
        before, self.left_out = self.left_out, 0
        return before


class RefusalLog:
    """Counter of the refusals of one worker, which it logs."""

    def __init__(self, report: RefusalEvents, clock: Callable[[], float]) -> None:
        """Store the log to report to, and a monotonic clock in seconds."""
        self._report: Final = report
        self._clock: Final = clock
        self._kinds: Final[dict[tuple[str, str], _Kind]] = {}
        self._drifted: Final[OrderedDict[tuple[str, str, str, str], None]] = OrderedDict()
        self._minutes: Final[dict[str, _Minute]] = {}
        self._instructions: Final[dict[str, _Minute]] = {}

    def at_source(self, code: str, detail: str) -> None:
        """Record that OPA's client or the journal refused a message."""
        self._note((code, ""), detail)

    def at_edge(self, code: str, detail: str, server: str) -> None:
        """Record a refused request; most codes are caused by the caller or the policy and are not logged."""
        if code in AT_EDGE:
            key = (code, server)
            self._note(key if key in self._kinds or len(self._kinds) < KINDS else (code, ""), detail)

    def drifted(self, refused: RefusedDefinition) -> None:
        """Record that a target is refused because its definition is not the reviewed one; once for each definition."""
        key = (refused.server, refused.kind, refused.target, refused.sha256)
        if key in self._drifted:
            self._drifted.move_to_end(key)
            return
        minute = self._minutes.setdefault(refused.server, _Minute(DRIFTED_A_MINUTE))
        left_out = minute.admitted(self._clock())
        if left_out is None:
            return
        self._drifted[key] = None
        if len(self._drifted) > DRIFTED:
            self._drifted.popitem(last=False)
        self._report(
            "definition_refused",
            server=refused.server,
            kind=refused.kind,
            target=refused.target[:_WORDS],
            sha256=refused.sha256,
            revision=refused.revision,
            left_out=left_out,
            detail="its definition is not the reviewed one, so policy hides it from lists and refuses its calls",
            remedy=_COMPARE,
            presented=packed(refused),
        )

    def instructions(self, removed: RefusedDefinition) -> None:
        """Record that instructions of a server were removed because they are not the reviewed ones."""
        minute = self._instructions.setdefault(removed.server, _Minute(1))
        left_out = minute.admitted(self._clock())
        if left_out is None:
            return
        self._report(
            "instructions_removed",
            server=removed.server,
            kind=removed.kind,
            sha256=removed.sha256,
            revision=removed.revision,
            left_out=left_out,
            detail="the instructions of the server are not the reviewed ones, and were removed from its results",
            remedy=_COMPARE,
            presented=packed(removed),
        )

    def flush(self) -> None:
        """Log the counts of the last minute, and the kinds that ended; called every second."""
        now = self._clock()
        for key, kind in tuple(self._kinds.items()):
            if now - kind.last >= EVERY_S:
                del self._kinds[key]
                self._ended(key, kind)
            elif kind.left_out and now - kind.logged >= EVERY_S:
                self._log(key, kind, now)

    def _note(self, key: tuple[str, str], detail: str) -> None:
        kind = self._kinds.setdefault(key, _Kind())
        kind.last, kind.detail = self._clock(), detail[:_WORDS]
        kind.total += 1
        kind.left_out += 1
        if kind.last - kind.logged >= EVERY_S:
            self._log(key, kind, kind.last)

    def _log(self, key: tuple[str, str], kind: _Kind, now: float) -> None:
        code, server = key
        cause = AT_SOURCE.get(code) or AT_EDGE[code]
        where = {"server": server} if server else {}
        self._report(
            "calls_refused",
            code=code,
            **where,
            reason=cause.what,
            detail=kind.detail,
            remedy=cause.remedy,
            left_out=kind.left_out - 1,
        )
        kind.left_out, kind.logged = 0, now

    def _ended(self, key: tuple[str, str], kind: _Kind) -> None:
        code, server = key
        where = {"server": server} if server else {}
        self._report(
            "calls_pass_again", code=code, **where, refused=kind.total, detail="no call was refused for a minute"
        )
