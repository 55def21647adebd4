"""The normal form of a file path: the file that POSIX finds by it, if no link is on the way.

Rule 1: a path that some servers may read as another one has no normal form. This covers backslashes, colons (drives,
streams and URLs), `~`, `%` and `$` (which shells and decoders replace), characters that are not text or that NFKC
replaces, and a segment that begins with a space or ends in a space or dot.
Rule 2: a relative path must stay below its starting directory, or it has no normal form.
Rule 3: normalizing a normal form does not change it.
"""

import re
import unicodedata
from typing import Final

LONGEST: Final = 4096
_ODD: Final = re.compile(r"[\\:~%$]")
_STEPS: Final = frozenset({"", ".", ".."})


def normal_path(text: str) -> str | None:
    """Return the normal form: no `.`, `..`, `//` or trailing slash; `.` for the start itself; None if it has none."""
    if not text or len(text) > LONGEST or text.startswith("//") or not text.isprintable() or _ODD.search(text):
        return None
    if not unicodedata.is_normalized("NFKC", text):
        return None
    start = "/" if text.startswith("/") else ""
    kept: list[str] = []
    for segment in text.split("/"):
        if segment not in _STEPS:
            if segment[0] == " " or segment[-1] in " .":
                return None
            kept.append(segment)
        elif segment == "..":
            if kept:
                kept.pop()
            elif not start:
                return None
    return start + "/".join(kept) or "."
