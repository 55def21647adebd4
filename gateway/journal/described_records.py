"""Descriptions (`described` records), written once for many records: circumstances, definitions and texts.

Rule 1: a description comes before the first record that needs it, and again after `REPEATED_NS` at the latest, so that
any record can be read with the records of the 15 minutes before it. Each segment repeats the descriptions that its
records need (`repeated`), so that they can be read after retention removed earlier segments.
Rule 2: after a failure of the journal, everything counts as not described.
Rule 3: memory is limited: at `_MOST` entries all of them are forgotten, because repeating a description only costs
space.
Rule 4: senders and servers can create two things with the same key. Both are then described, and readers treat that key
as unknown. Therefore the full digest is stored here, not the key.
"""

from hashlib import blake2b
from typing import Final, NamedTuple

from msgspec.json import Encoder

from gateway.admission.record import Decided, rfc3339
from gateway.journal.record_lines import CircumstancesLine, DecidedLine, DefinitionLine, DescribedLine, ServerLine
from gateway.journal.record_writer import compacted_decision

REPEATED_NS: Final = 900_000_000_000
_MOST: Final = 20_000
_KEY_DIGITS: Final = 16
_BYTES: Final = 32
_NOTHING: Final = CircumstancesLine()
_ENCODER: Final = Encoder()


class DecisionLines(NamedTuple):
    """The line of a decision, and the description that must come before it; None if it needs none."""

    description: DescribedLine | None
    decision: DecidedLine
    describes: tuple[int, ...]
    """The numbers of the things that the description describes."""
    needs: tuple[int, ...]
    """The numbers of the things that the decision only refers to."""


class _Described(NamedTuple):
    """The number of a described thing, and the time of its description."""

    at_ns: int
    number: int


class Descriptions:
    """The things that one writer has described, with the monotonic time in nanoseconds."""

    def __init__(self) -> None:
        """Begin without descriptions."""
        self._described: Final[dict[object, _Described]] = {}
        self._count = 0

    def lines(self, record: Decided) -> DecisionLines:
        """Return the lines of a decision."""
        circumstances = circumstances_of(record)
        whole = digest_of(circumstances)
        key = whole[:_KEY_DIGITS]
        line = compacted_decision(record, key)
        now = record.monotonic_ns
        texts = (line.revision, record.server, record.trust, record.credential, record.agent, record.grounds)
        seen = record.definition if record.input is not None and record.input.definition is not None else ""
        before, named = self._count, [self._number(what, now) for what in (whole, seen, texts)]
        news = named[0] > before, named[1] > before, named[2] > before
        return DecisionLines(
            description=self._description(record, key, circumstances, news) if True in news else None,
            decision=line,
            describes=tuple(number for number in named if number > before),
            needs=tuple(number for number in named if number),
        )

    def forget(self) -> None:
        """Describe everything again: the last descriptions may not be in the journal."""
        self._described.clear()

    def _number(self, what: object, now_ns: int) -> int:
        """Return the number of a described thing, a new number if it must be described now, or 0 if it is empty."""
        if not what:
            return 0
        known = self._described.get(what)
        if known is not None and now_ns - known.at_ns < REPEATED_NS:
            return known.number
        if len(self._described) >= _MOST:
            self.forget()
        self._count += 1
        self._described[what] = _Described(now_ns, self._count)
        return self._count

    def _description(
        self, record: Decided, key: str, circumstances: CircumstancesLine, news: tuple[bool, bool, bool]
    ) -> DescribedLine | None:
        new_circumstances, new_definition, new_texts = news
        seen = record.input.definition if record.input is not None and new_definition else None
        shown = DefinitionLine(sha256=seen.sha256, parts=seen.parts, annotations=seen.annotations) if seen else None
        server = ServerLine(id=record.server, trust=record.trust, credential=record.credential)
        named = server if record.trust or record.credential else None
        texts = new_texts and bool(named or record.agent or record.grounds)
        if not (new_circumstances or shown or texts):
            return None
        return DescribedLine(
            time=rfc3339(record.unix_ns),
            sender=key if new_circumstances else "",
            circumstances=circumstances if new_circumstances else None,
            definition=shown,
            revision=record.revision if texts else "",
            agent=record.agent if texts else None,
            server=named if texts else None,
            grounds=record.grounds if texts else (),
        )


def digest_of(circumstances: CircumstancesLine) -> str:
    """Return the digest of circumstances, which begins with their key; empty if all of them are unknown.

    Raise ValueError for a value that JSON cannot represent.
    """
    return "" if circumstances == _NOTHING else blake2b(_ENCODER.encode(circumstances), digest_size=_BYTES).hexdigest()


def circumstances_of(record: Decided) -> CircumstancesLine:
    """Return the fields that a decision shares with others of the same sender, as far as its masking allows."""
    caller, asked = record.principal, record.input
    return CircumstancesLine(
        method=caller.method,
        issuer=caller.issuer,
        client_id=caller.client_id if caller.subject is not None else None,
        groups=caller.groups,
        scopes=tuple(asked.principal.scopes) if asked is not None else (),
        unknown=tuple(asked.principal.unknown) if asked is not None else (),
        claims=asked.principal.claims if asked is not None else {},
        delegation=caller.delegation,
        credential_sha256=caller.credential_sha256,
        client=record.client,
        protocol=record.protocol,
        era=record.era,
        session=record.session,
        gateway=asked.context.gateway if asked is not None else None,
        headers=asked.context.headers if asked is not None else {},
        emergency=record.emergency,
    )
