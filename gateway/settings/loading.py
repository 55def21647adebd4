"""Settings from a file and the environment, or all their errors.

Rule 1: all errors are reported at once, each with its place and its remedy.
Rule 2: the environment is an argument; this module does not read the process's own. Unknown variables are not an error
here: `unknown_variables` returns them for a warning.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from msgspec import Struct, structs

from gateway.settings.cross_checks import clashes
from gateway.settings.environment_variables import own_variables
from gateway.settings.model import Settings
from gateway.settings.setting_sources import SettingOrigin, SettingProblem, WrittenSetting, overlay, read_file
from gateway.settings.typed_reader import SettingsReader, variables

PATH_DEFAULTS: Final[Mapping[tuple[str, str], str]] = {
    ("state", "directory"): ".state",
    ("policy", "directory"): ".",
    ("secrets", "directory"): "secrets",
}
"""Default directories, relative to the directory of the settings file."""

BELOW_STATE: Final[Mapping[tuple[str, str], str]] = {
    ("journal", "directory"): "journal",
    ("sealing", "directory"): "sealing",
}
"""Default directories inside the state directory."""


class SettingProblems(Struct, frozen=True):
    """The reasons why the settings are invalid."""

    items: tuple[SettingProblem, ...]

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.items)


def load(path: Path | None, environ: Mapping[str, str]) -> Settings | SettingProblems:
    """Return the settings of `path` (None: defaults, in the working directory), overridden by the environment."""
    nothing = WrittenSetting({}, SettingOrigin("default"))
    written, problems = read_file(path) if path else (nothing, [])
    names = variables(Settings)
    written = _defaulted(overlay(written, names, own_variables(environ)))
    reader = SettingsReader((path.parent if path else Path()).absolute())
    settings = reader.read(Settings, written)
    problems += reader.problems
    if settings is None or problems:
        return SettingProblems(tuple(problems))
    found = [
        SettingProblem(_place(written, clash.key), clash.key, clash.message, clash.remedy)
        for clash in clashes(settings)
    ]
    return SettingProblems(tuple(found)) if found else _normal(settings)


def _defaulted(written: WrittenSetting) -> WrittenSetting:
    for path, text in PATH_DEFAULTS.items():
        written = _with_default(written, path, text)
    state = _at(written, ("state", "directory"))
    for path, text in BELOW_STATE.items():
        if state is not None and isinstance(state.value, str):
            written = _with_default(written, path, f"{state.value}/{text}")
    return written


def _at(written: WrittenSetting, path: tuple[str, ...]) -> WrittenSetting | None:
    for name in path:
        entries = written.mapping
        if entries is None or name not in entries:
            return None
        written = entries[name]
    return written


def _with_default(written: WrittenSetting, path: tuple[str, str], text: str) -> WrittenSetting:
    section, key = path
    root = {} if written.value is None else written.mapping
    if root is None:
        return written
    inner = root.get(section, WrittenSetting({}, SettingOrigin("default")))
    below = {} if inner.value is None else inner.mapping
    if below is None or key in below:
        return written
    filled = WrittenSetting({**below, key: WrittenSetting(text, SettingOrigin("default"))}, inner.place)
    return WrittenSetting({**root, section: filled}, written.place)


def _place(written: WrittenSetting, key: str) -> SettingOrigin:
    """Return the nearest place in the sources: the setting, its section, or the file."""
    names = tuple(key.split("[", maxsplit=1)[0].split("."))
    for length in range(len(names), 0, -1):
        found = _at(written, names[:length])
        if found is not None:
            return found.place
    return written.place


def _normal(settings: Settings) -> Settings:
    headers = tuple(dict.fromkeys(name.lower() for name in settings.headers))
    return structs.replace(settings, headers=headers)
