"""Verdicts on the items of a list: in chunks with a deadline each, remembered by question and revision.

Rule 1: an item is listed only by a verdict. A chunk that fails to evaluate is halved until the failing item is found,
and that item is hidden (DESIGN section 4).
Rule 2: if policy cannot be asked, the whole list fails. It is neither shown nor hidden in part.
Rule 3: the key of a remembered verdict is the revision and the digest of the whole question, with the time cut to the
minute.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Encoder

from gateway.admission.decision import ListingVerdict, PolicyFailure
from gateway.admission.policy_input import Item, PolicyInput
from gateway.admission.question import listing
from gateway.admission.refused_definition import RefusedDefinition, refused_target
from gateway.pipeline.ports import PolicyEngine, Presented

_ENCODER: Final = Encoder()
Drifted = Callable[[RefusedDefinition], None]
"""Receive a definition that differs from the reviewed one."""
Shown = Mapping[str, Presented]
"""Definitions of a server, by their digests."""
NOTHING: Final[Shown] = MappingProxyType({})


def refused_for_drift(refused_by: Collection[str]) -> bool:
    """Return whether a target that is in the catalog is refused because its definition changed."""
    return "definition_is_unchanged" in refused_by and "target_is_listed" not in refused_by


class ListLimits(Struct, frozen=True, kw_only=True):
    """`chunk`: items in a question. `entries`: remembered chunks."""

    chunk: int = 200
    entries: int = 1_000


class Listings:
    """Verdicts on list items, with a memory for the revision in force."""

    def __init__(self, policy: PolicyEngine, limits: ListLimits, drifted: Drifted | None = None) -> None:
        """Take the policy port, and the `limits` of a question and of the memory.

        `drifted` is called with each item that is hidden because its definition is not the reviewed one.
        """
        self._drifted: Final = drifted or _nobody_minds
        self._policy: Final = policy
        self._limits: Final = limits
        self._known: Final[OrderedDict[tuple[str, bytes], tuple[bool, ...]]] = OrderedDict()

    async def verdicts(
        self, question: PolicyInput, items: Sequence[Item], shown: Shown = NOTHING
    ) -> list[bool] | PolicyFailure:
        """Return whether each item is listed, or the failure of the policy.

        `shown` are the definitions of the items. The log shows the text of those that are refused.
        """
        listed: list[bool] = []
        for start in range(0, len(items), self._limits.chunk):
            chunk = await self._chunk(listing(question, items[start : start + self._limits.chunk]), shown)
            if isinstance(chunk, PolicyFailure):
                return chunk
            listed.extend(chunk)
        return listed

    async def _chunk(self, question: PolicyInput, shown: Shown) -> tuple[bool, ...] | PolicyFailure:
        digest = sha256(_ENCODER.encode(question)).digest()
        known = self._known.get((self._policy.standing, digest))
        if known is not None:
            self._known.move_to_end((self._policy.standing, digest))
            return known
        answer = await self._policy.listing(question)
        if isinstance(answer, PolicyFailure):
            return await self._halved(question, shown) if answer.code == "policy_error" else answer
        listed = tuple(item.listed for item in answer.listing.items)
        self._note_drift(question, answer, shown)
        self._remember((answer.standing, digest), listed)
        return listed

    def _note_drift(self, question: PolicyInput, answer: ListingVerdict, shown: Shown) -> None:
        for item, verdict in zip(question.items, answer.listing.items, strict=True):
            if refused_for_drift(verdict.refused_by) and item.definition is not None:
                presented = shown.get(item.definition.sha256)
                words: Mapping[str, Any] = presented.words if presented is not None else {}
                server, revision = question.server.id, answer.revision
                self._drifted(refused_target(server, item.target, item.definition, revision=revision, words=words))

    async def _halved(self, question: PolicyInput, shown: Shown) -> tuple[bool, ...] | PolicyFailure:
        items = question.items
        if len(items) <= 1:
            return (False,) * len(items)
        middle = len(items) // 2
        first = await self._chunk(listing(question, items[:middle]), shown)
        if isinstance(first, PolicyFailure):
            return first
        second = await self._chunk(listing(question, items[middle:]), shown)
        return second if isinstance(second, PolicyFailure) else first + second

    def _remember(self, key: tuple[str, bytes], listed: tuple[bool, ...]) -> None:
        if self._known and next(iter(self._known))[0] != key[0]:
            self._known.clear()
        self._known[key] = listed
        while len(self._known) > self._limits.entries:
            self._known.popitem(last=False)


def shown_by_digest(presented: Iterable[Presented | None]) -> Shown:
    """Return definitions by their digests."""
    return {each.definition.sha256: each for each in presented if each is not None}


def _nobody_minds(_refused: RefusedDefinition) -> None:
    return
