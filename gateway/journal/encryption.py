"""Encryption of corpora and of recorded arguments to public keys with age (https://age-encryption.org/v1).

Rule 1: the person who exports a corpus cannot read it, and a gateway cannot read the arguments it recorded. Only CI or
the auditor has the private key.
Rule 2: content that was changed, or is not encrypted for the given key, is an error; no part of it is used.
Rule 3: encryption does not prove the author: anyone with the public key can make another corpus. Therefore only the
people who export may write to the directory of the corpora.
"""

from pathlib import Path
from typing import Any, Final

import pyrage
from msgspec import Struct

HEADER: Final = b"age-encryption.org/v1\n"
MOST_BYTES: Final = 256 * 1024 * 1024
_PRIVATE: Final = "AGE-SECRET-KEY-"
_age: Final[Any] = pyrage  # its wheel has no types


class KeyFault(Struct, frozen=True):
    """The reason why a key or its content cannot be used."""

    why: str


class Recipients(Struct, frozen=True):
    """Public keys to encrypt to."""

    keys: tuple[Any, ...]


class KeyPair(Struct, frozen=True):
    """A new key as text: the private part for a file, and the public part."""

    private: str
    public: str


def new_key() -> KeyPair:
    """Make an X25519 key pair."""
    identity = _age.x25519.Identity.generate()
    return KeyPair(str(identity), str(identity.to_public()))


def recipients(text: str) -> Recipients | KeyFault:
    """Return the public keys in a recipient, or in a file with one recipient per line."""
    if text.startswith(_PRIVATE):
        return KeyFault("this is a private key: give its public key (age1...)")
    file = Path(text)
    try:
        lines = file.read_text(encoding="utf-8").splitlines() if not _is_recipient(text) else [text]
    except (OSError, UnicodeDecodeError) as error:
        return KeyFault(f"{text!r} is neither an age recipient (age1..., ssh-ed25519 ...) nor a file of them: {error}")
    named = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    try:
        keys = tuple(_recipient(line) for line in named)
    except (_age.RecipientError, ValueError) as error:
        return KeyFault(f"{text!r} contains a public key that age does not support: {error}")
    return Recipients(keys) if keys else KeyFault(f"{text!r} does not contain a public key")


def _is_recipient(text: str) -> bool:
    return text.startswith(("age1", "ssh-"))


def _recipient(line: str) -> Any:
    if line.startswith(_PRIVATE):
        raise ValueError("it is a private key; encrypt to its public key (age1...)")
    return _age.ssh.Recipient.from_str(line) if line.startswith("ssh-") else _age.x25519.Recipient.from_str(line)


def encrypted(content: bytes, to: Recipients) -> bytes:
    """Return the content encrypted for the holders of these keys only."""
    return bytes(_age.encrypt(content, list(to.keys)))


def identities(path: Path) -> list[Any] | KeyFault:
    """Return the private keys in a file: age keys, one per line, or one OpenSSH key without a passphrase."""
    try:
        content = path.read_bytes()
        if content.startswith(b"-----BEGIN"):
            return [_age.ssh.Identity.from_buffer(content)]
        lines = [line.strip() for line in content.decode("utf-8").splitlines()]
        keys = [_age.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
    except OSError as error:
        return KeyFault(f"{path} cannot be read: {error.strerror or error}")
    except (_age.IdentityError, ValueError):
        return KeyFault(f"{path} does not contain a private key of age or SSH")
    return keys or KeyFault(f"{path} does not contain a private key of age or SSH")


def decrypted(content: bytes, keys: list[Any]) -> bytes | KeyFault:
    """Return the decrypted content, which is verified to be unchanged."""
    try:
        return bytes(_age.decrypt(content, keys))
    except (_age.DecryptError, ValueError) as error:
        return KeyFault(f"this key cannot decrypt it: {error}")
