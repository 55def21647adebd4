"""Secrets inside texts: parts that look like one, and known secrets that a text repeats.

Rule 1: the cost is linear in the length of the text for any content: no pattern reads a run of letters twice.
Rule 2: a search for known secrets has a budget; a text that exceeds it is masked whole.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

MASKED: Final = "[masked]"
SHORTEST: Final = 4
"""Shortest secret that is also searched in other texts; shorter ones would mask words by chance."""
BUDGET: Final = 1_000_000
"""Steps of about 10 ns that one search for known secrets may take."""
_SHORT: Final = frozenset(range(SHORTEST))
_CALL: Final = 8
"""Steps of one lookup in a text or a set."""
_SCANNED: Final = 128
"""Characters that a search for one secret covers in one step."""

_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)"
    r"|\b(?:bearer|basic|negotiate)\s+[\w+/.~=-]{6,}"
    r"|\b(?:gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|xox[abeoprs]-[\w-]{8,}|npm_\w{20,}|hf_\w{20,})"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{30,}|\bya29\.[\w-]{10,}"
    r"|\b(?:sk|pk|rk)[-_](?:live|test|ant|proj|or)?[-_]?[\w-]{16,}|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bmcpa_[\w-]{8,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)",
    re.ASCII | re.IGNORECASE,
)
_JWT: Final = re.compile(
    r"(?<![\w-])(?=[\w-]++\.[\w-])[\w-]*?\b(eyJ[\w-]{6,}+\.[\w-]++(?:\.[\w-]*+)*)", re.ASCII | re.IGNORECASE
)
"""A pattern that enters a run of letters at its start only, and only if a dot follows it."""
_ASSIGNED: Final = re.compile(
    r"\b((?:\w++(?:(?<=api)|(?<=access)|(?<=private))[-. ](?=key))?\w++)\\?[\"']?\s*+[:=]\s*+\\?[\"']?",
    re.ASCII | re.IGNORECASE,
)
"""A name and the sign of an assignment."""
_NAME: Final = re.compile(
    r"password|passwd|passphrase|passcode|pwd|secret|token|api[-_. ]?key|access[-_. ]?key|private[-_. ]?key"
    r"|authorization|credential|cookie|^(?:pass|sig|signature)$",
    re.ASCII | re.IGNORECASE,
)
"""Words in the name of a secret."""
_GIVEN: Final = re.compile(r"(?:(?:bearer|basic)\s++)?[^\s\"'\\,;&}\]]++", re.ASCII | re.IGNORECASE)
"""The assigned value."""
_HINTS: Final = (
    ("", ("bearer", "basic", "negotiate", "akia", "asia", "aiza")),
    ("@", ("://",)),
    (".", ("eyj", "ya29.", "sg.")),
    ("-", ("glpat-", "xox", "sk-", "pk-", "rk-", "-----begin")),
    ("_", ("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "npm_", "hf_", "sk_", "pk_", "rk_", "mcpa_")),
)
"""Hints by sign: every text that looks like a secret contains a sign and, in lower case, one of its hints."""
_NAME_HINTS: Final = ("pass", "pwd", "secret", "token", "key", "auth", "cred", "cookie", "sig")
"""Words of which the name of an assigned secret holds at least one."""


def hinted(text: str) -> bool:
    """Return whether a text may look like a secret."""
    lower = text.lower()
    return _hinted(lower) or _assigning(lower)


def masked_text(text: str, found: list[str]) -> str:
    """Return a text with each part masked that looks like a secret; add those parts to `found`."""
    lower = text.lower()
    if _hinted(lower):
        text = _without(text, _resembling(text), found)
    return _without(text, _assigned(text), found) if _assigning(lower) else text


def _hinted(lower: str) -> bool:
    for sign, hints in _HINTS:
        if sign in lower:
            for hint in hints:
                if hint in lower:
                    return True
    return False


def _assigning(lower: str) -> bool:
    return (":" in lower or "=" in lower) and any(name in lower for name in _NAME_HINTS)


class Scrubber:
    """Masker of known secrets in the texts of one record (Rule 2)."""

    def __init__(self, secrets: Iterable[str], *, budget: int = BUDGET) -> None:
        """Store the secrets; ones that are too short are not searched."""
        self._secrets: Final = dict.fromkeys(secrets)
        self._lengths: Final = sorted(set(map(len, self._secrets)) - _SHORT, reverse=True)
        self._left = budget

    def and_also(self, more: Iterable[str]) -> "Scrubber":
        """Return a masker that also masks `more`, within the remaining budget."""
        return Scrubber((*self._secrets, *more), budget=self._left)

    def __contains__(self, text: str) -> bool:
        """Return whether a text is one of the secrets, of any length."""
        return text in self._secrets

    def hide(self, text: str) -> str:
        """Return the text without the secrets."""
        if not self._lengths:
            return text
        one_by_one = len(self._secrets) * (_CALL + len(text) // _SCANNED)
        by_windows = _CALL * len(text) * len(self._lengths)
        self._left -= min(one_by_one, by_windows)
        if self._left < 0:
            return MASKED
        for secret in self._secrets if one_by_one <= by_windows else self._within(text):
            if len(secret) >= SHORTEST and secret in text:
                text = text.replace(secret, MASKED)
        return text

    def _within(self, text: str) -> list[str]:
        """Return the secrets in a text, the longest first; its cost does not depend on how many secrets there are."""
        found: dict[str, None] = {}
        for length in self._lengths:
            windows = (text[start : start + length] for start in range(len(text) - length + 1))
            found.update((window, None) for window in windows if window in self._secrets)
        return list(found)


def _without(text: str, spans: Iterable[tuple[int, int]], found: list[str]) -> str:
    """Return a text with these spans masked; they are in order and do not overlap."""
    shown: list[str] = []
    at = 0
    for start, end in spans:
        found.append(text[start:end])
        shown += text[at:start], MASKED
        at = end
    return "".join((*shown, text[at:])) if shown else text


def _resembling(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans that look like secrets by themselves, joined if they overlap."""
    spans = sorted([found.span() for found in _VALUE.finditer(text)] + [found.span(1) for found in _JWT.finditer(text)])
    start = end = -1
    for first, last in spans:
        if first >= end:
            if end >= 0:
                yield start, end
            start, end = first, last
        end = max(end, last)
    if end >= 0:
        yield start, end


def _assigned(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of values that are assigned to the name of a secret."""
    at = 0
    while (name := _ASSIGNED.search(text, at)) is not None:
        at = name.end()
        if not _NAME.search(name[1]) or (given := _GIVEN.match(text, at)) is None:
            continue
        if not given[0].startswith(MASKED[:-1]):
            yield given.span()
        at = given.end()
