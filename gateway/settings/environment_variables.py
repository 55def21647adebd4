"""Names of environment variables: those of settings, those that Kubernetes injects, and unknown ones.

Rule 1: only the names of settings are read. A variable that Kubernetes injects for a service never sets anything.
Rule 2: any other name with the prefix is reported, with the closest name of a setting.
"""

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Final

from msgspec import Struct

from gateway.settings.model import Settings
from gateway.settings.setting_sources import PREFIX
from gateway.settings.typed_reader import RESERVED, variables

_URL: Final = re.compile(r"(?:tcp|udp|sctp)://\S+:[0-9]+")
_NUMBER: Final = re.compile(r"[0-9]+")
_ANY: Final = re.compile(r"\S+")
_PROTOCOL: Final = re.compile(r"tcp|udp|sctp")
_INJECTED: Final[tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]] = (
    (re.compile(r"(?:\w+_)?SERVICE_HOST"), _ANY),
    (re.compile(r"(?:\w+_)?SERVICE_PORT(?:_\w+)?"), _NUMBER),
    (re.compile(r"(?:\w+_)?PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?"), _URL),
    (re.compile(r"(?:\w+_)?PORT_[0-9]+_(?:TCP|UDP|SCTP)_ADDR"), _ANY),
    (re.compile(r"(?:\w+_)?PORT_[0-9]+_(?:TCP|UDP|SCTP)_PORT"), _NUMBER),
    (re.compile(r"(?:\w+_)?PORT_[0-9]+_(?:TCP|UDP|SCTP)_PROTO"), _PROTOCOL),
)
"""The variables that Kubernetes injects for a service whose name starts with `mcp-admission`: name after the prefix,
and value.
"""


class UnknownVariable(Struct, frozen=True):
    """A variable that looks like a setting but was not read, and the remedy."""

    name: str
    remedy: str

    def __str__(self) -> str:
        return f"environment variable {self.name}: was not read as a setting. {self.remedy}"


def is_injected(name: str, value: str) -> bool:
    """Return True if Kubernetes injects this variable for a service; other values under such a name are settings."""
    rest = name.removeprefix(PREFIX)
    return rest != name and any(known.fullmatch(rest) and form.fullmatch(value) for known, form in _INJECTED)


def own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables that Kubernetes injects under the prefix."""
    return {name: value for name, value in environ.items() if not is_injected(name, value)}


def unknown_variables(environ: Mapping[str, str]) -> tuple[UnknownVariable, ...]:
    """Return the variables with the prefix that are neither settings nor injected, by name.

    They include a setting's name whose value is the address of a Kubernetes service.
    """
    known = variables(Settings).keys()
    found: list[UnknownVariable] = []
    for written, value in sorted(environ.items()):
        name = written.encode("utf-8", "backslashreplace").decode()  # a name that is not UTF-8 can be logged
        injected = is_injected(name, value)
        if injected and name in known:
            remedy = (
                "It contains a Kubernetes service's address: rename the service, or set `enableServiceLinks: false`."
            )
            found.append(UnknownVariable(name, remedy))
        elif not injected and name.upper().startswith(PREFIX) and name not in known | RESERVED:
            nearest = _nearest(name, known)
            remedy = f"Did you mean {nearest}?" if nearest else "`mcp-admission serve --settings` lists all settings."
            found.append(UnknownVariable(name, remedy))
    return tuple(found)


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the setting whose name differs only by its section or a typo."""
    rests = {each.removeprefix(PREFIX): each for each in known}
    rest = name.upper().removeprefix(PREFIX)
    close = [rest] if rest in rests else get_close_matches(rest, rests, 1, cutoff=0.75)
    close = close or [each for each in rests if each.endswith(f"_{rest}")] or get_close_matches(rest, rests, 1)
    return rests[close[0]] if close else ""
