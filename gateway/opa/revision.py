"""Identity of a policy bundle, `<environment>@<content id>.<seq>`, and the check that revisions never go back.

Rule 1: text that does not match this form is not a revision.
Rule 2: an enforced revision is never replaced by an older one: the highest sequence number is durable before its
decisions count.
"""

import re
from typing import Final, Protocol

from msgspec import Struct

_FORM: Final = re.compile(r"([a-z0-9][a-z0-9._-]{0,62})@([0-9a-f]{6,64})\.(0|[1-9][0-9]{0,17})", re.ASCII)


class Revision(Struct, frozen=True):
    """A parsed revision (DESIGN section 5)."""

    environment: str
    content: str
    seq: int


class Highwater(Protocol):
    """The highest sequence number enforced per environment, stored durably next to the journal; raises OSError."""

    def seen(self, environment: str) -> int: ...
    def raise_to(self, environment: str, seq: int) -> None: ...


def read_revision(text: str) -> Revision | None:
    """Return the parts of a revision, or None if the text is not a revision."""
    match = _FORM.fullmatch(text)
    return None if match is None else Revision(match[1], match[2], int(match[3]))


class Ratchet:
    """The enforced revision as this process knows it; it never goes back."""

    def __init__(self, highwater: Highwater) -> None:
        self._highwater = highwater
        self._seqs: dict[str, int] = {}
        self.current = ""
        """The last enforced revision, empty before the first."""

    def turn(self, text: str, revision: Revision) -> bool:
        """Return whether decisions of this revision may be enforced. Raises OSError if it cannot be stored."""
        if text == self.current:
            return True
        highest = self.highest(revision.environment)
        if revision.seq < highest:
            return False
        if revision.seq > highest:
            self._highwater.raise_to(revision.environment, revision.seq)
        self._seqs[revision.environment] = revision.seq
        self.current = text
        return True

    def highest(self, environment: str) -> int:
        """Return the highest enforced sequence number of an environment; raises OSError."""
        if environment not in self._seqs:
            self._seqs[environment] = self._highwater.seen(environment)
        return self._seqs[environment]
