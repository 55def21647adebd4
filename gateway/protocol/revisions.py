"""The protocol revisions that the gateway speaks, and their eras.

Rule 1: a revision is an enumerated name, never compared as a date or a string.
Rule 2: an unknown revision is refused; only `initialize` may name one, because there the server answers with its own.
"""

from typing import Final, Literal

Era = Literal["modern", "legacy"]

LEGACY: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
"""Sessions that begin with `initialize`; the first is here because servers in the field still answer with it."""

MODERN: Final = ("2026-07-28",)
"""Revisions in which every request stands alone and states its revision in header and `_meta`."""

SUPPORTED: Final = LEGACY + MODERN

WITHOUT_HEADER: Final = "2025-03-26"
"""The revision of a legacy request without a version header (specification 2025-06-18, Protocol Version Header)."""

LATEST_LEGACY: Final = LEGACY[-1]

_ERAS: Final[dict[str, Era]] = {**dict.fromkeys(LEGACY, "legacy"), **dict.fromkeys(MODERN, "modern")}


def era_of(revision: str) -> Era | None:
    """Return the era of a revision; None if it is unknown."""
    return _ERAS.get(revision)


def supported(revision: str) -> bool:
    """Return whether the gateway speaks the revision."""
    return revision in _ERAS


def offered(revision: str) -> str:
    """Return the revision by which an `initialize` is judged: the client's, or the latest legacy one."""
    return revision if _ERAS.get(revision) == "legacy" else LATEST_LEGACY
