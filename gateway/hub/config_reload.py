"""Reload tokens and verification keys when the settings file, or a key file that it names, changes.

Rule 1: invalid settings change nothing. They are logged once for each new problem, with file and line. A file that is
still being written changes nothing either: a file is read when two checks in a row found it in the same state.
Rule 2: reloading does not close open long polls. A removed token gets nothing new.
Rule 3: the directory, the listener and the emergency key change only at a restart. A change of them is logged.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Final

from gateway.artifact.signature_checks import VerifyingKey
from gateway.hub.bearer_tokens import TokenHolder
from gateway.hub.credentials import Credentials
from gateway.hub.metrics import HubEventLog, HubMetrics
from gateway.hub.settings import HubSettings, State, load, state_of
from gateway.settings import SettingProblems

LOOK_S: Final = 1.0


class ConfigReloader:
    """Compares the files with the settings in force."""

    def __init__(self, settings: HubSettings, trust: Credentials, told: tuple[HubMetrics, HubEventLog]) -> None:
        self._settings = settings
        self._trust: Final = trust
        self._counts, self._report = told
        self._taken: State | None = settings.state
        self._seen: State | None = settings.state
        self._told = ""

    async def follow(self) -> None:
        """Check the files periodically, until canceled."""
        while True:
            self._trust.look(time.time_ns())
            await asyncio.sleep(LOOK_S)  # noqa: TID251 - the interval between checks
            await self.look()

    async def look(self) -> None:
        """Load the files if they have changed and are no longer being written."""
        state = await asyncio.to_thread(state_of, self._settings.files)
        before, self._seen = self._seen, state
        if state == self._taken:
            self._usable()
        elif state == before:
            self._take(await asyncio.to_thread(load, self._settings.files[0]))

    def _take(self, found: HubSettings | SettingProblems) -> None:
        if isinstance(found, SettingProblems):
            self._counts.settings_unusable = True
            self._tell("settings_refused", problems=str(found), in_force="the previous settings")
            return
        self._usable()
        old, self._settings = self._settings, found
        self._taken = self._seen = found.state
        callers, keys = changes(old.callers, found.callers), changes(old.keys, found.keys)
        self._trust.callers, self._trust.keys = found.callers, found.keys
        if callers or keys:
            self._report("settings_reloaded", callers=callers, keys=keys)  # the log masks the values under `tokens`
        self._trust.look(time.time_ns())
        if later := [name for name, value in fixed(found).items() if value != fixed(old)[name]]:
            self._report("settings_need_restart", settings=later)

    def _usable(self) -> None:
        self._counts.settings_unusable = False
        self._told = ""

    def _tell(self, event: str, **fields: object) -> None:
        """Log an event, unless it is the same as the previous one."""
        said = str(sorted(fields.items()))
        if said != self._told:
            self._told = said
            self._report(event, **fields)


def changes(
    old: Sequence[TokenHolder | VerifyingKey], new: Sequence[TokenHolder | VerifyingKey]
) -> Mapping[str, Sequence[str]]:
    """Return the names that were added, removed and changed, without empty lists."""
    before, after = ({_name(each): each for each in some} for some in (old, new))
    found = {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [name for name in after if name in before and after[name] != before[name]],
    }
    return {what: names for what, names in found.items() if names}


def _name(one: TokenHolder | VerifyingKey) -> str:
    return one.name if isinstance(one, TokenHolder) else one.keyid


def fixed(settings: HubSettings) -> dict[str, object]:
    """Return the settings that change only at a restart."""
    key = settings.emergency_key
    return {
        "directory": settings.directory,
        "listen": settings.listen,
        "emergency_key": None if key is None else key.keyid,
    }
