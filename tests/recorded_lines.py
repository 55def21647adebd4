"""Records as the lines that the journal writes of them, without a journal."""

from gateway.admission.record import Completed, Counted, Decided, Policy, Refused, Voided, place
from gateway.journal.described_records import Descriptions
from gateway.journal.record_writer import compacted, encoded

AnyRecord = Decided | Completed | Counted | Policy | Refused | Voided


def lines_of(*records: AnyRecord, at: int = 1, writer: str = "w", sequence: int = 1) -> bytes:
    """Return the lines of records, each decision after the descriptions that it needs."""
    descriptions, bodies = Descriptions(), list[bytes]()
    for record in records:
        described = descriptions.lines(record)[:2] if isinstance(record, Decided) else (None, compacted(record))
        bodies += [encoded(line) for line in described if line is not None]
    return b"".join(place(body, at=at, writer=writer, sequence=sequence + n) for n, body in enumerate(bodies))
