"""Recognize values that look like secrets: a bundle must not contain secrets (DESIGN section 5).

Rule 1: only formats that issuers publish for their own secrets are listed, so that false positives are rare.
Rule 2: a problem names the location and the format, never the value.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from gateway.artifact.json_narrowing import is_array, is_object
from gateway.policy.sources.document import Document, step
from gateway.policy.sources.problem import Problem

_SHAPES: Final = (
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a token of this gateway", re.compile(r"\bmcpa_[A-Za-z0-9_-]{20,}")),
    ("a GitHub token", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a Slack token", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("an AWS access key", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    ("a Google API key", re.compile(r"\bAIza[A-Za-z0-9_-]{35}")),
    ("an API key", re.compile(r"\bsk-(?:ant-|proj-|live-)?[A-Za-z0-9_-]{20,}")),
    ("a Stripe key", re.compile(r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}")),
    ("a JSON Web Token", re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}")),
    ("an Authorization value", re.compile(r"^(?:Bearer|Basic) +[A-Za-z0-9._~+/=-]{16,}$")),
    ("a password in a URL", re.compile(r"\b[a-z][a-z0-9+.-]*://[^/\s:@]+:[^/\s@]+@")),
)
_NAMED: Final = re.compile(r"(?i)(?:^|[_-])(?:password|passwd|secret|api_?key|private_?key|access_?token)$")
_REMEDY: Final = "Move it to the secrets directory, and revoke the exposed value."


def secrets_in(document: Document) -> list[Problem]:
    """Return a problem for each value that looks like a secret."""
    return [
        document.problem(pointer, f"looks like {shape}.", _REMEDY)
        for pointer, name, text in _texts(document.value, "", "")
        if (shape := _shape(name, text))
    ]


def _shape(name: str, text: str) -> str:
    for shape, pattern in _SHAPES:
        if pattern.search(text):
            return shape
    return f"the value of a secret (`{name}`)" if text and _NAMED.search(name) else ""


def _texts(value: Any, pointer: str, name: str) -> Iterator[tuple[str, str, str]]:
    """Yield every string with its JSON pointer and its key. Keys are strings, too."""
    if isinstance(value, str):
        yield pointer, name, value
    elif is_array(value):
        for number, item in enumerate(value):
            yield from _texts(item, step(pointer, number), name)
    elif is_object(value):
        for key, item in value.items():
            place = step(pointer, key)
            yield place, "", key
            yield from _texts(item, place, key)
