"""Convert written values to Structs by their types, and report all values that do not fit, not only the first.

Rule 1: an unknown key is an error: otherwise, a misspelled limit would have no effect.
Rule 2: a field with an error is not processed further; no value is invented in its place.
"""

import types
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields

from gateway.settings.setting_sources import PREFIX, SettingProblem, WrittenSetting

_S = TypeVar("_S", bound=Struct)

RESERVED: Final = frozenset({"MCP_ADMISSION_CONFIG", "MCP_ADMISSION_TOOLS"})
"""Variables of the command line; they are not settings."""


def bare(annotation: Any) -> Any:
    """Return the type without Annotated."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def structure(annotation: Any) -> type[Struct] | None:
    """Return the Struct type of a field, also if the field may be null."""
    plain = bare(annotation)
    arms: tuple[Any, ...] = get_args(plain) if get_origin(plain) in (types.UnionType, Union) else (plain,)
    return next((arm for arm in arms if isinstance(arm, type) and issubclass(arm, Struct)), None)


def element(annotation: Any) -> type[Struct] | None:
    """Return the Struct type of the elements of a field."""
    plain = bare(annotation)
    return structure(get_args(plain)[0]) if get_origin(plain) is tuple else None


def description(annotation: Any) -> str:
    """Return the field's description."""
    metas = [meta for meta in get_args(annotation)[1:] if isinstance(meta, Meta)] if get_args(annotation) else []
    return next((meta.description for meta in metas if meta.description), "")


def variables(model: type[Struct], path: tuple[str, ...] = ()) -> dict[str, tuple[str, ...]]:
    """Return each environment variable of the model, with the setting that it sets."""
    names: dict[str, tuple[str, ...]] = {}
    for field in fields(model):
        here = (*path, field.name)
        inner = structure(field.type)
        names |= variables(inner, here) if inner else {PREFIX + "_".join(here).upper(): here}
    return names


class SettingsReader:
    """Reader of one document; `problems` is complete after `read` of the root."""

    def __init__(self, base: Path) -> None:
        self.problems: list[SettingProblem] = []
        self._base = base

    def read(self, model: type[_S], written: WrittenSetting, key: str = "") -> _S | None:
        """Return the Struct; None if at least one error was reported."""
        entries = {} if written.value is None else written.mapping
        if entries is None:
            self._report(written, key, "must be a mapping of settings", "Write its keys indented below it.")
            return None
        before = len(self.problems)
        known = {field.name: field for field in fields(model)}
        self._unknown(entries, set(known), key)
        values = {
            name: self._field(field, entries[name], _below(key, name))
            for name, field in known.items()
            if name in entries
        }
        self._missing(known, values, written, key)
        return model(**values) if len(self.problems) == before else None

    def _unknown(self, entries: dict[str, WrittenSetting], known: set[str], key: str) -> None:
        for name, written in entries.items():
            if name not in known:
                close = get_close_matches(name, known, 1)
                remedy = f"Did you mean `{close[0]}`?" if close else f"Known here: {', '.join(sorted(known))}."
                self._report(written, _below(key, name), "is not a setting", remedy)

    def _missing(self, known: dict[str, FieldInfo], values: dict[str, Any], written: WrittenSetting, key: str) -> None:
        for name, field in known.items():
            if name not in values and field.default is NODEFAULT and field.default_factory is NODEFAULT:
                self._report(written, _below(key, name), "is missing", description(field.type) or "Add it.")

    def _field(self, field: FieldInfo, written: WrittenSetting, key: str) -> Any:
        inner, repeated = structure(field.type), element(field.type)
        if inner and not (written.value is None and field.default is None):
            return self.read(inner, written, key)
        if repeated:
            return self._several(repeated, written, key)
        return self._value(field.type, written, key)

    def _several(self, model: type[Struct], written: WrittenSetting, key: str) -> Any:
        items = self._json(written, key) if written.text else written
        several = items.sequence
        if several is None:
            self._report(written, key, "must be a list", "Start each entry with `- `, or give a JSON list.")
            return ()
        return tuple(self.read(model, item, f"{key}[{index}]") for index, item in enumerate(several))

    def _json(self, written: WrittenSetting, key: str) -> WrittenSetting:
        try:
            return _located(msgspec.json.decode(written.value), written)
        except msgspec.DecodeError as error:
            self._report(written, key, f"is not JSON: {error}", "Give a JSON list.")
            return WrittenSetting([], written.place)

    def _value(self, annotation: Any, written: WrittenSetting, key: str) -> Any:
        try:
            return msgspec.convert(
                _words(annotation, written) if written.text else _plain(written),
                annotation,
                strict=not written.text,
                dec_hook=self._path,
            )
        except (msgspec.ValidationError, ValueError) as error:
            message = str(error).replace(" - at `$`", "").replace(" - at `$", " at `")
            self._report(written, key, message, description(annotation) or "Correct the value.")
            return None

    def _path(self, wanted: type, value: Any) -> Any:
        if wanted is not Path or not isinstance(value, str) or not value or "\0" in value:
            raise ValueError("Expected a path")
        return (self._base / value).absolute()

    def _report(self, written: WrittenSetting, key: str, message: str, remedy: str) -> None:
        self.problems.append(SettingProblem(written.place, key, message[0].lower() + message[1:], remedy))


def _below(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _plain(written: WrittenSetting) -> Any:
    if written.sequence is not None:
        return [_plain(item) for item in written.sequence]
    if written.mapping is not None:
        return {name: _plain(item) for name, item in written.mapping.items()}
    return written.value


def _words(annotation: Any, written: WrittenSetting) -> Any:
    """Parse an environment variable; lists are words between commas, mappings `name=value` between commas.

    An empty text is null if the setting allows null.
    """
    text: str = written.value
    if get_origin(bare(annotation)) is Mapping:
        pairs = (word.partition("=") for word in text.split(",") if word.strip())
        return {name.strip(): value.strip() for name, _, value in pairs}
    if get_origin(bare(annotation)) is tuple:
        return [word.strip() for word in text.split(",") if word.strip()]
    if not text and type(None) in get_args(bare(annotation)):
        return None
    return text


def _located(value: Any, written: WrittenSetting) -> WrittenSetting:
    if isinstance(value, list):
        return WrittenSetting([_located(item, written) for item in cast("list[Any]", value)], written.place)
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        return WrittenSetting({name: _located(item, written) for name, item in entries}, written.place)
    return WrittenSetting(value, written.place)
