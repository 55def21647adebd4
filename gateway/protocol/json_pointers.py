"""JSON pointers (RFC 6901): `/a/b` names the member `b` of the member `a`; a key has `~` as `~0` and `/` as `~1`."""

from collections.abc import Iterable


def keys_of(pointer: str) -> tuple[str, ...]:
    """Return the keys that a pointer names, the outermost first; none for the whole document."""
    return tuple(map(unescaped, pointer.split("/")[1:]))


def pointer_to(keys: Iterable[str | int]) -> str:
    """Return the pointer that names these keys, the outermost first."""
    return "".join(f"/{escaped(key)}" for key in keys)


def escaped(key: str | int) -> str:
    """Return a key as a pointer writes it."""
    return str(key).replace("~", "~0").replace("/", "~1")


def unescaped(written: str) -> str:
    """Return the key that an escaped pointer segment represents."""
    return written.replace("~1", "/").replace("~0", "~")
