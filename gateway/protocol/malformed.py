"""The fault of a message that cannot be read, as a value.

Rule 1: a reader returns `Malformed` and never raises; every caller that receives one refuses (PROTOCOL section 7).
Rule 2: `reason` is safe to show and to record: it names keys, headers and positions, never values.
Rule 3: `fault` comes from a closed set, so that it can be a metric's label.
"""

from typing import Any, Literal

from msgspec import Struct

Fault = Literal[
    "accept",
    "ambiguous_key",
    "batch",
    "duplicate_header",
    "duplicate_key",
    "encoding",
    "era",
    "header_mismatch",
    "headers_too_large",
    "id",
    "media_type",
    "metadata",
    "not_json",
    "number",
    "revision",
    "shape",
    "too_complex",
    "too_large",
    "verb",
]


class Malformed(Struct, frozen=True, kw_only=True):
    """A message that is refused before it is judged: a JSON-RPC code, an HTTP status and a reason for a person."""

    fault: Fault
    code: int
    reason: str
    status: int = 400
    id: str | int | None = None
    """The request's id, if one could be read without doubt."""
    method: str = ""
    """The method, if the fault is inside `params` of a message whose envelope is certain. The refusal then has the form
    of its method, and HTTP has no error status (DESIGN section 7)."""
    answers: str = ""
    """The id of a client's response, if the fault is inside its result: the waiting server gets an error."""
    data: dict[str, Any] | None = None
    """Machine-readable detail; only if the specification defines one."""
