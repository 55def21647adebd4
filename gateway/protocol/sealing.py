"""State between requests, sealed into the protocol's own opaque strings (DESIGN section 7).

Rule 1: AES-SIV (RFC 5297): a repeated nonce reveals only that two values are equal, nothing else.
Rule 2: the kind is associated data: a seal of one kind never opens as another.
Rule 3: a text that does not open is None, without a reason; garbage, another key and another kind look the same.
"""

import base64
import binascii
from typing import Final, TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES: Final = 64
NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_LONGEST: Final = 8192
"""Most characters of a seal; longer text is not decoded."""


class SessionSeal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """An `Mcp-Session-Id`: the upstream's id and its owner; `principal` is `Principal.key`."""

    upstream_id: str
    server: str
    principal: str
    agent: str
    revision: str
    client: str = ""


class EventSeal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The id of one server-sent event: it contains all data that replay needs, so that no table is kept."""

    upstream_id: str
    session: bytes
    """Digest of the session, or of server and principal if the server keeps no sessions."""
    method: str = ""
    """The method that the stream answers; empty on a stream that was opened by GET."""
    request_id: str | int | None = None
    call_id: str = ""
    target: str = ""
    progress_token: str | int | None = None
    """The token under which progress of the request is reported."""


class RequestSeal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The id under which the client sees a server's request."""

    upstream_id: str | int
    session: bytes
    method: str
    server: str
    call_id: str = ""


class TaskSeal(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The id under which the client knows a server's task.

    It is sealed with `FIXED_NONCE`: clients compare task ids, so one task has one text as long as the key is current.
    """

    upstream_id: str
    owner: bytes
    """Digest of the server and the principal that may name the task."""


Seal = SessionSeal | EventSeal | RequestSeal | TaskSeal
SealT = TypeVar("SealT", bound=Seal)

FIXED_NONCE: Final = bytes(NONCE_BYTES)
"""The nonce of seals that must be equal if their contents are equal."""
_KINDS: Final[dict[type[Seal], str]] = {
    SessionSeal: "session",
    EventSeal: "event",
    RequestSeal: "request",
    TaskSeal: "task",
}
_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODERS: Final = {kind: msgspec.msgpack.Decoder(kind) for kind in _KINDS}


class Ring:
    """One key, or the current and the previous one: the first seals, both open."""

    __slots__ = ("_ciphers",)

    def __init__(self, current: bytes, previous: bytes | None = None) -> None:
        """Store keys of 64 bytes; another length is a programming error and raises."""
        keys = (current,) if previous is None else (current, previous)
        if any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"a sealing key has {KEY_BYTES} bytes")
        self._ciphers: Final = tuple(AESSIV(key) for key in keys)

    def seal(self, kind: str, payload: bytes, nonce: bytes) -> str:
        """Return URL-safe visible ASCII that only this key ring opens; the caller chooses the nonce of 12 bytes."""
        if len(nonce) != NONCE_BYTES or not payload:
            raise ValueError(f"a seal takes a payload and a nonce of {NONCE_BYTES} bytes")
        sealed = self._ciphers[0].encrypt(payload, [kind.encode(), nonce])
        return base64.urlsafe_b64encode(nonce + sealed).decode().rstrip("=")

    def unseal(self, kind: str, text: str) -> bytes | None:
        """Return the payload, or None for anything that this ring did not seal as this kind."""
        raw = _decode(text)
        if raw is None:
            return None
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(raw[NONCE_BYTES:], [kind.encode(), raw[:NONCE_BYTES]])
            except InvalidTag:
                continue
        return None

    def close(self, seal: Seal, nonce: bytes) -> str:
        """Return the sealed form of a typed value."""
        return self.seal(_KINDS[type(seal)], _ENCODER.encode(seal), nonce)

    def open(self, kind: type[SealT], text: str) -> SealT | None:
        """Return the typed value, or None for anything that is not a seal of this type."""
        payload = self.unseal(_KINDS[kind], text)
        if payload is None:
            return None
        try:
            return _DECODERS[kind].decode(payload)  # pyright: ignore[reportReturnType] - the decoder is the kind's own
        except msgspec.DecodeError:
            return None


def _decode(text: str) -> bytes | None:
    """Return the bytes of canonical base64url without padding; each seal has exactly one text."""
    if not text.isascii() or not NONCE_BYTES + _TAG_BYTES < len(text) <= _LONGEST:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        return None
    if base64.urlsafe_b64encode(raw).decode().rstrip("=") != text or len(raw) <= NONCE_BYTES + _TAG_BYTES:
        return None
    return raw
