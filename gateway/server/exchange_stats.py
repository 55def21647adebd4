"""The result of a forwarded message, collected during the relay for the `completed` record."""

from typing import Final

from gateway.admission.action import Answer
from gateway.admission.instructions import RemovedInstructions
from gateway.admission.record import Result
from gateway.admission.record_masking import GrowingDigest
from gateway.admission.result_type import ResultType
from gateway.pipeline.ports import UpstreamFailure

CHANGED: Final = "the server's instructions differ from the reviewed ones and were removed"


class ExchangeStats:
    """Counts of one exchange. They are mutable and belong to that exchange alone."""

    __slots__ = (
        "code",
        "detail",
        "digest",
        "events",
        "hidden",
        "removed_instructions",
        "result",
        "size",
        "status",
        "unread",
        "upstream_micros",
        "withheld",
    )

    def __init__(self, key: bytes) -> None:
        """Start as answered, with nothing relayed. `key` keys the digest of the result."""
        self.digest: Final = GrowingDigest(key)
        """Digest of the result's bytes, as the client gets them."""
        self.result: ResultType | None = None
        self.hidden = 0
        self.code = "answered"
        self.detail = ""
        self.removed_instructions: RemovedInstructions | None = None
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
        """Count an event that is not a message for this client, and keep the first reason."""
        self.withheld += 1
        self.detail = self.detail or detail

    def told(self, answer: Answer) -> None:
        """Note whether the answer is a refusal of the gateway, and which instructions were removed from it."""
        self.code = answer.code or self.code
        if answer.result is not None:
            self.result, self.hidden = answer.result, answer.hidden
        if answer.removed_instructions is not None:
            self.removed_instructions = answer.removed_instructions
            self.detail = self.detail or CHANGED

    def recorded(self) -> Result | None:
        """Return the result that the client got, for the record, or null if it got none."""
        if self.result is None:
            return None
        return Result(digest=self.digest.text, type=self.result.type, items=self.result.items)

    def failed(self, failure: UpstreamFailure) -> None:
        """Use the upstream's failure as the outcome of the record."""
        self.code, self.detail = failure.code, failure.detail
