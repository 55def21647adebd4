"""Presentations, stored once, however many views show them.

Rule 1: a presentation is kept as long as a listing holds it. `weight` is the approximate size of all of them in bytes.
Rule 2: a quick key (MessagePack, which distinguishes all JSON values) avoids computing a digest again.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from gateway.definitions.presented_definition import PresentedDefinition

_OBJECTS: Final = 6
"""Bytes of Python objects and of a compiled schema for each byte of a definition's text."""
_FIXED: Final = 3_000
_QUICK: Final = 20_000


class _Held:
    """A presentation, with its number of holders."""

    __slots__ = ("holders", "presentation", "weight")

    def __init__(self, presentation: PresentedDefinition, weight: int) -> None:
        self.presentation: Final = presentation
        self.weight: Final = weight
        self.holders = 0


class Interned:
    """The presentations of one worker, by list method and digest."""

    def __init__(self) -> None:
        """Start without presentations."""
        self.weight = 0
        self.reading = 0
        """The part of the weight of listings that are being read, which no bound can free."""
        self._held: Final[dict[tuple[str, str], _Held]] = {}
        self._quick: Final[dict[bytes, str]] = {}

    def hold(self, method: str, item: Mapping[str, Any]) -> PresentedDefinition:
        """Return the presentation of an entry. It stays until it was released as often as it was held."""
        text = _text(item)
        key = sha256(method.encode() + b"\0" + text).digest() if text else b""
        held = self._held.get((method, self._quick.get(key, "")))
        if held is None:
            held = self._added(method, item, len(text))
            self._remember(key, held.presentation.definition.sha256)
        held.holders += 1
        return held.presentation

    def release(self, method: str, presentation: PresentedDefinition) -> None:
        """Release a presentation once."""
        key = (method, presentation.definition.sha256)
        held = self._held[key]
        held.holders -= 1
        if not held.holders:
            del self._held[key]
            self.weight -= held.weight

    def _added(self, method: str, item: Mapping[str, Any], size: int) -> _Held:
        presentation = PresentedDefinition(method, item)
        key = (method, presentation.definition.sha256)
        if key not in self._held:
            self._held[key] = _Held(presentation, _FIXED + _OBJECTS * size)
            self.weight += self._held[key].weight
        return self._held[key]

    def _remember(self, key: bytes, digest: str) -> None:
        if len(self._quick) >= _QUICK:
            self._quick.clear()
        if key:
            self._quick[key] = digest


def _text(item: Mapping[str, Any]) -> bytes:
    """Return a text that is unique to the JSON value, or empty if it has a value that MessagePack cannot encode."""
    try:
        return msgspec.msgpack.encode(item)
    except (OverflowError, UnicodeEncodeError, RecursionError, msgspec.MsgspecError):
        return b""
