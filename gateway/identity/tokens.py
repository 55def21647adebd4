"""Service tokens: `mcpa_` and 48 characters of base64url, which encode 32 random bytes and their CRC-32.

Rule 1: the checksum is not a secret: it rejects typing errors and garbage before any hashing or lookup.
Rule 2: only the SHA-256 of the whole text is stored; the token itself is shown once, when it is created.
"""

import base64
import binascii
import hashlib
import re
from typing import Final

PREFIX: Final = "mcpa_"
RANDOM_BYTES: Final = 32
_SHAPE: Final = re.compile(r"mcpa_[A-Za-z0-9_-]{48}")
_CHECKSUM_BYTES: Final = 4


def token(random: bytes) -> str:
    """Return the token for 32 random bytes."""
    if len(random) != RANDOM_BYTES:
        raise ValueError(f"a token is made from {RANDOM_BYTES} random bytes, not {len(random)}")
    return PREFIX + base64.urlsafe_b64encode(random + _checksum(random)).decode("ascii")


def well_formed(text: str) -> bool:
    """Return whether the text has the form and the checksum of a token, whether or not the token is known."""
    if not _SHAPE.fullmatch(text):
        return False
    content = base64.urlsafe_b64decode(text[len(PREFIX) :])
    return _checksum(content[:RANDOM_BYTES]) == content[RANDOM_BYTES:]


def digest(text: str) -> str:
    """Return the lower-case hexadecimal SHA-256 of the token's text, as in the agent's YAML."""
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _checksum(random: bytes) -> bytes:
    return binascii.crc32(random).to_bytes(_CHECKSUM_BYTES, "big")
