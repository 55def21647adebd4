"""Masking of a question for the journal: everything except its secrets, its shape only, or nothing.

Rule 1: a secret is recorded at no level, and a masked text is masked in every other text of the record too.
Rule 2: only a question that was recorded whole can be replayed, and the record states which one it is.
Rule 3: a question that is too large is not recorded. A part of it is never recorded as the whole.
Rule 4: the catalog may lower the recording level of a target, and never make more readable.
Rule 5: the level `masked` keeps the values that the policy read, as its decision states, so that the decision can be
evaluated again, and the values that it is configured to keep. Of everything else that a sender wrote it keeps only the
shape.
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
"""Function that returns bytes encrypted to an auditor's key."""
Kept = Mapping[str, Any]
"""Tree of keys to keep; `_WHOLE` keeps everything below a key."""
_ITEMS: Final = 200
_WHOLE: Final[Kept] = {"": None}
"""Marker of a value that is kept whole, compared by identity."""
_NOTHING: Final[Kept] = {}
_NO_SECRETS: Final = Scrubber(())


class Masking(Struct, frozen=True, kw_only=True):
    """Level of recording: `none` no input, `masked` its shape without values, `full` everything but secrets.

    `key` keys the digests; arguments whose JSON exceeds `limit` bytes are not recorded. `kept` are JSON pointers (RFC
    6901) into the question whose values `masked` also records; with `reads` it also records the values that the policy
    read.
    """

    level: Level
    key: bytes
    limit: int = 65_536
    kept: tuple[str, ...] = ()
    reads: bool = True
    seal: Seal | None = None
    """Function that encrypts to the auditor's key; null if there is none."""

    def wanted(self, word: Word | None) -> "Masking":
        """Return the masking of a message by the catalog's `word`, which is null if the catalog was not asked.

        The catalog never makes more readable than the settings do: for `full` it adds a sealed copy. If the catalog was
        not asked, no value is recorded, because the catalog might have allowed none.
        """
        if word is None:
            return self if self.level == "none" else replace(self, level="masked", kept=(), reads=False)
        if word == "digest":
            return replace(self, level="none")
        return replace(self, level="masked") if word == "masked" and self.level == "full" else self


class Recorded(Struct, frozen=True, kw_only=True):
    """The recordable part of a question, and the secrets that no other text of the record may repeat."""

    input: PolicyInput | None
    replayable: bool
    target: Target
    client: Client
    secrets: Scrubber


def masked(question: PolicyInput, masking: Masking, reads: Sequence[str] = ()) -> Recorded:
    """Return the question as `masking` allows it to be recorded; `replayable` is true if that is the whole question.

    `reads` are the JSON pointers into the question that the policy read, as its decision states.
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
    """Return pointers into the arguments as pointers into the question; an invalid pointer is left out."""
    return tuple(f"/arguments{pointer}" for pointer in pointers if pointer.startswith("/"))


def keeping(pointers: Iterable[str]) -> Kept:
    """Return the tree of keys that JSON pointers (RFC 6901) name; an invalid pointer is left out."""
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
    """The keyed digest of bytes that arrive in pieces."""

    __slots__ = ("_keyed",)

    def __init__(self, key: bytes) -> None:
        """Start with no bytes."""
        self._keyed: Final = _keyed(key).copy()  # unlike `hmac.digest`, it keeps the GIL for a short text

    def add(self, text: bytes | memoryview) -> None:
        """Add the next bytes."""
        self._keyed.update(text)

    @property
    def text(self) -> str:
        """The digest of all bytes, as records state it."""
        return "hmac-sha256:" + self._keyed.hexdigest()


def digest(key: bytes, text: bytes) -> str:
    """Return the keyed digest of unmasked bytes. Only an owner of the key can use it to confirm a guess."""
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
    """Return the question without secrets (unchanged if it has none), and the secrets; `found` are known already."""
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
    """Return the question with names and kinds instead of the sender's values, except for the kept values."""
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
