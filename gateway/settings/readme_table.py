"""The settings table of the README, generated from the types.

Rule 1: each setting is a row; a setting that is not in the table cannot exist.
"""

from pathlib import Path
from typing import Any

from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo, fields

from gateway.settings.loading import BELOW_STATE, PATH_DEFAULTS
from gateway.settings.model import Settings
from gateway.settings.typed_reader import description, element, structure


def table() -> str:
    """Return Markdown rows `setting | default | description`; the environment variable follows from the name."""
    rows = [f"| `{key}` | {default} | {text} |" for key, default, text in _rows(Settings, "")]
    return "\n".join(["| setting | default | description |", "|---|---|---|", *rows]) + "\n"


def _rows(model: type[Struct], prefix: str) -> list[tuple[str, str, str]]:
    rows: list[tuple[str, str, str]] = []
    for field in fields(model):
        key, inner, repeated = f"{prefix}{field.name}", structure(field.type), element(field.type)
        if description(field.type) or not inner:
            rows.append((key, _default(field, key), description(field.type)))
        if inner:
            rows += _rows(inner, f"{key}.")
        if repeated:
            rows += _rows(repeated, f"{key}[].")
    return rows


def _default(field: FieldInfo, key: str) -> str:
    parts = tuple(key.split("."))
    if len(parts) == 2 and parts in PATH_DEFAULTS:  # noqa: PLR2004  section and key
        return f"`{PATH_DEFAULTS[parts]}`"
    if len(parts) == 2 and parts in BELOW_STATE:  # noqa: PLR2004  section and key
        return f"`.state/{BELOW_STATE[parts]}`"
    if field.default is NODEFAULT:
        return "required" if field.default_factory is NODEFAULT else "empty"
    return _shown(field.default)


def _shown(value: Any) -> str:
    if isinstance(value, Path):
        return f"`{value}`"
    if isinstance(value, tuple) and value:
        return ", ".join(f"`{item}`" for item in value)  # pyright: ignore[reportUnknownVariableType]
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"`{value}`" if value or value == 0 else "empty"
