"""Settings as a message: workers use the settings that the supervisor checked, even if the file changes later."""

from pathlib import Path
from typing import Any

import msgspec

from gateway.settings import Settings


def packed(settings: Settings) -> bytes:
    """Return the settings as MessagePack."""
    return msgspec.msgpack.encode(settings, enc_hook=_text)


def unpacked(content: bytes) -> Settings:
    """Return the settings in a message."""
    return msgspec.msgpack.decode(content, type=Settings, dec_hook=_path)


def _text(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(type(value).__name__)


def _path(kind: type[Any], value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(kind.__name__)
