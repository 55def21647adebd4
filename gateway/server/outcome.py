"""What became of a forwarded message, collected while it is relayed, for the `completed` record."""

from typing import Final

from gateway.admission.action import Answer
from gateway.pipeline.ports import UpstreamFailure

CHANGED: Final = "the server's instructions are not those that were reviewed, and were removed"


class Outcome:
    """Counts of one exchange; mutable, and of that exchange alone."""

    __slots__ = (
        "code",
        "detail",
        "events",
        "removed_instructions",
        "size",
        "status",
        "unread",
        "upstream_micros",
        "withheld",
    )

    def __init__(self) -> None:
        """Begin as answered, with nothing relayed yet."""
        self.code = "answered"
        self.detail = ""
        self.removed_instructions = ""
        self.status = 0
        self.size = 0
        self.events = 0
        self.withheld = 0
        self.unread = False
        self.upstream_micros = 0

    def message(self, raw: bytes) -> None:
        """Count one message of the upstream."""
        self.size += len(raw)
        self.events += 1

    def withhold(self, detail: str) -> None:
        """Count what is not a message for this client, and keep the first reason."""
        self.withheld += 1
        self.detail = self.detail or detail

    def told(self, answer: Answer) -> None:
        """Note that the answer is a refusal of the gateway, or which instructions were removed from it."""
        self.code = answer.code or self.code
        if answer.removed_instructions:
            self.removed_instructions = answer.removed_instructions
            self.detail = self.detail or CHANGED

    def failed(self, failure: UpstreamFailure) -> None:
        """The upstream's failure is what the record says."""
        self.code, self.detail = failure.code, failure.detail
