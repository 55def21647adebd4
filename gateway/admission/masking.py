"""What of a question may be written down: all but its secrets, its shape, or nothing.

Rule 1: a secret survives at no level; what was masked is masked in every other text of the record too.
Rule 2: only what was recorded whole can be replayed, and the record says which it is.
Rule 3: too large is not recorded; nothing is recorded in part and called whole.
Rule 4: the catalog may want less recorded of a target, and never more that is readable.
Rule 5: the level `masked` keeps the values that the policy read, as its decision says, so that the decision can be
asked for again, and those that it is told to keep; of everything else that a sender wrote only the shape.
"""

import hmac
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

from msgspec import Struct
from msgspec.structs import replace

from gateway.admission.decision import Word
from gateway.admission.policy_input import ArgumentError, Client, PolicyInput, Target
from gateway.admission.redaction import (
    DEPTH,
    kind_of,
    named_secrets,
    repeated,
    scrubbed,
    suspicious,
    without_secrets,
)
from gateway.admission.secret_texts import MASKED, Scrubber
from gateway.protocol.json_pointers import keys_of

Level = Literal["none", "masked", "full"]
Seal = Callable[[bytes], bytes]
"""Returns bytes encrypted to an auditor's key."""
Kept = Mapping[str, Any]
"""Key -> what is kept below it, `_WHOLE` for everything."""
_ITEMS: Final = 200
_WHOLE: Final[Kept] = {"": None}
"""Stands for itself: compared by identity."""
_NOTHING: Final[Kept] = {}
_NO_SECRETS: Final = Scrubber(())


class Masking(Struct, frozen=True, kw_only=True):
    """How much is recorded: `none` no input, `masked` its shape without values, `full` everything but secrets.

    `key` keys the digests; arguments whose JSON exceeds `limit` bytes are not recorded. `kept` are places in the
    question, JSON pointers (RFC 6901), whose values `masked` records all the same; with `reads` it also records those
    that the policy read.
    """

    level: Level
    key: bytes
    limit: int = 65_536
    kept: tuple[str, ...] = ()
    reads: bool = True
    seal: Seal | None = None
    """Encrypts to the auditor's key; null if there is none."""

    def wanted(self, word: Word | None) -> "Masking":
        """Return how much is recorded of a message if the catalog says this of it; null if the catalog was not asked.

        The catalog never makes more readable than the settings do: `full` is what is sealed beside it. If the catalog
        was not asked, no value is recorded, as it could have wanted none.
        """
        if word is None:
            return self if self.level == "none" else replace(self, level="masked", kept=(), reads=False)
        if word == "digest":
            return replace(self, level="none")
        return replace(self, level="masked") if word == "masked" and self.level == "full" else self


class Recorded(Struct, frozen=True, kw_only=True):
    """What of a question may be recorded, and the secrets that no other text of the record may repeat."""

    input: PolicyInput | None
    replayable: bool
    target: Target
    client: Client
    secrets: Scrubber


def masked(question: PolicyInput, masking: Masking, reads: Sequence[str] = ()) -> Recorded:
    """Return the question as `masking` lets it be recorded; `replayable` where that is the whole question.

    `reads` are the places, JSON pointers into the question, that the policy read as its decision says.
    """
    large = question.arguments_meta.bytes > masking.limit or len(question.items) > _ITEMS
    found: list[str] = list(named_secrets(question.arguments)) if large else []
    bare, secrets = _bare(replace(question, arguments={}) if large else question, found)
    return Recorded(
        input=None if large else _shown(bare, masking, reads),
        replayable=bare is question and masking.level == "full",
        target=bare.target,
        client=bare.client,
        secrets=secrets,
    )


def in_arguments(pointers: Iterable[str]) -> tuple[str, ...]:
    """Return pointers into the arguments as places in the question; what is no pointer names nothing."""
    return tuple(f"/arguments{pointer}" for pointer in pointers if pointer.startswith("/"))


def keeping(pointers: Iterable[str]) -> Kept:
    """Return what JSON pointers (RFC 6901) name; what is no pointer names nothing."""
    kept: dict[str, Any] = {}
    for pointer in pointers:
        *above, last = keys_of(pointer) or ("",)
        place: Any = kept
        for part in above:
            place = place.setdefault(part, {}) if place is not _WHOLE else place
        if place is not _WHOLE and pointer.startswith("/"):
            place[last] = _WHOLE
    return kept


class GrowingDigest:
    """The keyed digest of what comes piece by piece."""

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        """Begin empty."""
        self._keyed: Final = _keyed(key).copy()  # unlike `hmac.digest`, it keeps the GIL for a short text

    def add(self, text: bytes | memoryview) -> None:
        """Take the next bytes."""
        self._keyed.update(text)

    @property
    def text(self) -> str:
        """The digest of all that came, as records have it."""
        return "hmac-sha256:" + self._keyed.hexdigest()


def digest(key: bytes, text: bytes) -> str:
    """Return the keyed digest of unmasked bytes: who has the key can confirm a guess, nobody else."""
    keyed = _keyed(key).copy()
    keyed.update(text)
    return "hmac-sha256:" + keyed.hexdigest()


@lru_cache(maxsize=4)
def _keyed(key: bytes) -> hmac.HMAC:
    return hmac.new(key, digestmod="sha256")


def _shown(bare: PolicyInput, masking: Masking, reads: Sequence[str]) -> PolicyInput | None:
    match masking.level:
        case "none":
            return None
        case "masked":
            return _shape_of(bare, keeping((*masking.kept, *reads) if masking.reads else masking.kept))
        case "full":
            return bare


def _bare(question: PolicyInput, found: list[str]) -> tuple[PolicyInput, Scrubber]:
    """Return the question without secrets, and itself where it has none, and the secrets; `found` are known already."""
    target, client = question.target, question.client
    claims, headers = question.principal.claims, question.context.headers
    texts = (target.name, target.uri, target.written, client.name, client.version)
    written = (question.arguments, claims, headers, *texts)
    if not found and not suspicious(written):
        return question, _NO_SECRETS
    arguments, claims, headers, name, uri, as_written, *display = without_secrets(list(written), found)
    secrets = Scrubber(found)
    errors = [_scrubbed_error(error, secrets) for error in question.arguments_meta.errors]
    if not found:
        return question, secrets
    bare = replace(
        question,
        arguments=repeated(arguments, secrets),
        arguments_meta=replace(question.arguments_meta, digest="", errors=errors),
        principal=replace(question.principal, claims=repeated(claims, secrets)),
        target=replace(
            target, name=repeated(name, secrets), uri=repeated(uri, secrets), written=repeated(as_written, secrets)
        ),
        client=Client(name=repeated(display[0], secrets), version=repeated(display[1], secrets)),
        context=replace(question.context, headers=repeated(headers, secrets)),
    )
    return bare, secrets


def _scrubbed_error(error: ArgumentError, secrets: Scrubber) -> ArgumentError:
    return replace(error, path=scrubbed(error.path, secrets), message=scrubbed(error.message, secrets))


def _shape_of(bare: PolicyInput, kept: Kept) -> PolicyInput:
    """Return the question with the names and kinds of what its sender wrote, and none but the kept values."""
    headers, claims = _below(kept, "context", "headers"), _below(kept, "principal", "claims")
    return replace(
        bare,
        arguments=_shape(bare.arguments, DEPTH, _below(kept, "arguments")),
        arguments_meta=replace(bare.arguments_meta, digest=""),
        principal=replace(bare.principal, claims=_shape(bare.principal.claims, DEPTH, claims)),
        context=replace(
            bare.context,
            headers={
                name: text if _below(headers, name) is _WHOLE else MASKED for name, text in bare.context.headers.items()
            },
        ),
    )


def _below(kept: Kept, *keys: str) -> Kept:
    for key in keys:
        kept = kept if kept is _WHOLE else kept.get(key, _NOTHING)
    return kept


def _shape(value: Any, room: int, kept: Kept) -> Any:
    kind = kind_of(value)
    if value is None or kind is bool or not room:
        return value if room else MASKED
    if kept is _WHOLE:
        return value
    if kind is dict:
        return {key: _shape(inner, room - 1, _below(kept, key)) for key, inner in value.items()}
    if kind is list:
        return [_shape(inner, room - 1, _below(kept, str(number))) for number, inner in enumerate(value)]
    if kind is str:
        return value if value == MASKED else f"[string of {len(value)}]"
    return "[number]"
