"""Settings as written: a YAML file and environment variables, each value with its place.

Rule 1: ambiguous YAML (anchors, duplicate keys, keys that are not strings) is an error, not a guess.
Rule 2: an environment variable overrides the file.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from msgspec import Struct
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

PREFIX: Final = "MCP_ADMISSION_"


class SettingOrigin(Struct, frozen=True):
    """The place of a value: a file and its line, or an environment variable."""

    source: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


class SettingProblem(Struct, frozen=True):
    """One error of the settings: place, setting, message and remedy."""

    place: SettingOrigin
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        key = f"{self.key}: " if self.key else ""
        return f"{self.place}: {key}{self.message}. {self.remedy}"


class WrittenSetting(Struct, frozen=True):
    """A value with its place; mappings and sequences contain further `WrittenSetting`."""

    value: Any
    place: SettingOrigin
    text: bool = False
    """True if the value is the text of an environment variable, to be parsed by its type."""

    @property
    def mapping(self) -> dict[str, "WrittenSetting"] | None:
        """The entries of a mapping; None for anything else."""
        value: Any = self.value
        return cast("dict[str, WrittenSetting]", value) if isinstance(value, dict) else None

    @property
    def sequence(self) -> list["WrittenSetting"] | None:
        """The items of a sequence; None for anything else."""
        value: Any = self.value
        return cast("list[WrittenSetting]", value) if isinstance(value, list) else None


def read_file(path: Path) -> tuple[WrittenSetting, list[SettingProblem]]:
    """Return the file's content and its YAML errors; an unreadable file is an empty mapping and an error."""
    start = SettingOrigin(str(path), 1)
    empty = WrittenSetting({}, start)
    try:
        node = _compose(path.read_text(encoding="utf-8"))
    except OSError as error:
        remedy = "Give the path of a settings file that exists and is readable."
        return empty, [SettingProblem(SettingOrigin(str(path)), "", error.strerror or "cannot be read", remedy)]
    except UnicodeDecodeError:
        return empty, [SettingProblem(SettingOrigin(str(path)), "", "is not UTF-8", "Save the file as UTF-8.")]
    except YAMLError as error:
        return empty, [_syntax(path, error)]
    problems: list[SettingProblem] = []
    written = _read(node, str(path), "", problems) if node else empty
    return written, problems


def _compose(text: str) -> Any:
    """Return the node tree; ruamel's nodes are untyped, so they stay Any until they are `WrittenSetting`."""
    yaml: Any = YAML(typ="safe", pure=True)
    return yaml.compose(text)


def _syntax(path: Path, error: YAMLError) -> SettingProblem:
    mark: Any = getattr(error, "problem_mark", None)
    what: Any = getattr(error, "problem", None) or "syntax error"
    place = SettingOrigin(str(path), mark.line + 1 if mark else 0)
    return SettingProblem(place, "", f"is not YAML: {what}", "Correct the YAML at this line.")


def _read(node: Any, source: str, key: str, problems: list[SettingProblem]) -> WrittenSetting:
    place = SettingOrigin(source, node.start_mark.line + 1)
    if node.anchor is not None:
        problems.append(SettingProblem(place, key, "uses an anchor or alias", "Write the value out at both places."))
        return WrittenSetting(None, place)
    if node.id == "mapping":
        return WrittenSetting(_mapping(node, source, key, problems), place)
    if node.id == "sequence":
        items = [_read(item, source, f"{key}[{index}]", problems) for index, item in enumerate(node.value)]
        return WrittenSetting(items, place)
    return WrittenSetting(_scalar(node, place, key, problems), place)


def _mapping(node: Any, source: str, key: str, problems: list[SettingProblem]) -> dict[str, WrittenSetting]:
    entries: dict[str, WrittenSetting] = {}
    for name_node, value_node in node.value:
        place = SettingOrigin(source, name_node.start_mark.line + 1)
        name: str = name_node.value
        if name_node.tag != "tag:yaml.org,2002:str":
            problems.append(
                SettingProblem(place, key, "has a key that is not a string", "Use the names of the settings as keys.")
            )
        elif name in entries:
            problems.append(SettingProblem(place, f"{key}.{name}".lstrip("."), "appears twice", "Keep one of them."))
        else:
            entries[name] = _read(value_node, source, f"{key}.{name}".lstrip("."), problems)
    return entries


def _scalar(node: Any, place: SettingOrigin, key: str, problems: list[SettingProblem]) -> Any:
    read = _SCALARS.get(node.tag)
    if read is None:
        problems.append(SettingProblem(place, key, f"has a value of unknown type ({node.tag})", "Remove the tag."))
        return None
    try:
        return read(node.value)
    except ValueError:
        problems.append(SettingProblem(place, key, f"`{node.value}` cannot be read", "Quote it if it is text."))
        return None


def _integer(text: str) -> int:
    return int(text, 0) if text.lstrip("+-")[:2].lower() in ("0x", "0o") else int(text)


_SCALARS: Final[Mapping[str, Callable[[str], Any]]] = {
    "tag:yaml.org,2002:null": lambda _: None,
    "tag:yaml.org,2002:bool": lambda text: text.lower() == "true",
    "tag:yaml.org,2002:int": _integer,
    "tag:yaml.org,2002:float": float,
    "tag:yaml.org,2002:str": str,
    "tag:yaml.org,2002:timestamp": str,
}
"""YAML 1.2 core scalars; a date stays text. A number that `float` cannot read (.inf, .nan) is an error."""


def overlay(
    written: WrittenSetting, names: Mapping[str, tuple[str, ...]], environ: Mapping[str, str]
) -> WrittenSetting:
    """Return the file's content, overridden by the environment; `names` maps each variable to its setting."""
    for name, path in names.items():
        if name in environ:
            value = WrittenSetting(environ[name], SettingOrigin(f"environment variable {name}"), text=True)
            written = _placed(written, path, value)
    return written


def _placed(written: WrittenSetting, path: tuple[str, ...], value: WrittenSetting) -> WrittenSetting:
    if not path:
        return value
    entries = written.mapping or {}
    below = _placed(entries.get(path[0], WrittenSetting({}, value.place)), path[1:], value)
    return WrittenSetting({**entries, path[0]: below}, written.place)
