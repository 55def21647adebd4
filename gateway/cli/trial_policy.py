"""The policy directory of a trial: a catalog with the server's list of tools, and a rule that allows reads.

Rule 1: every part is a file that a person can edit and keep. A saved change is enforced immediately.
Rule 2: an existing file is never overwritten, so a trial that was kept continues with its edited policy.
"""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from msgspec import Struct

from gateway.cli.catalog.document import EntryHeader, entry, written
from gateway.cli.catalog.server_listing import ServerItem

ENVIRONMENT: Final = "trial"
_OWNER: Final = "you@example.com"
_OBSERVED: Final = timedelta(days=7)
_PLAIN: Final = re.compile(r"[^a-z0-9]+")

_ENVIRONMENT: Final = """\
name: {name}
default: deny
time_zone: UTC
# What happens when the server's definitions differ from the imported ones: a changed description is allowed.
definition_drift: {{description: allow, schema: deny, annotations: deny, added: deny, removed: deny}}
"""
_OBSERVE: Final = """\
# Nothing is refused until this expires; calls that would be refused are recorded.
observe: {{owner: {owner}, reason: A trial that only looks, expires: "{expires}"}}
"""
_AGENT: Final = """\
# Every caller on this machine that connects without a credential.
agent: trial
owner: you@example.com
purpose: Tries a server behind the gateway on this machine
kind: any
anonymous: true
"""
_RULES: Final = """\
# Edit and save: it takes effect immediately. A call that matches no allow rule is refused.
rules:
  - rule: reads-pass
    effect: allow
    what: {actions: [read, list]}
    reason: Reading is allowed in this trial.
    owner: you@example.com

  - rule: the-rest-waits
    effect: deny
    what: {actions: [write, delete, send, execute]}
    reason: This trial allows reads only. A tool's action is set in the catalog, this rule in rules/trial.yaml.
    owner: you@example.com
"""


class Trial(Struct, frozen=True, kw_only=True):
    """The server under trial: its address, its list, and whether its calls are only observed."""

    server: str
    url: str
    title: str
    things: list[ServerItem]
    observe: bool
    credential: bool


def identifier(name: str) -> str:
    """Return a server id derived from the server's own name."""
    return _PLAIN.sub("-", name.lower()).strip("-")[:40] or "server"


def write(trial: Trial, directory: Path, now: datetime) -> Path:
    """Write the trial's policy below `directory` and return the environment's directory."""
    environment = directory / "bundles" / ENVIRONMENT
    about = EntryHeader(
        server=trial.server,
        url=trial.url,
        owner=_OWNER,
        title=trial.title,
        credential=trial.server if trial.credential else "",
    )
    files = {
        "environment.yaml": _environment(trial, now),
        "agents/trial.yaml": _AGENT,
        "rules/trial.yaml": _RULES,
        f"catalog/{trial.server}.yaml": written(entry(about, trial.things)),
    }
    for name, content in files.items():
        path = environment / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(content, encoding="utf-8")
    return environment


def _environment(trial: Trial, now: datetime) -> str:
    expires = (now.astimezone(UTC) + _OBSERVED).strftime("%Y-%m-%dT%H:%M:%SZ")
    observe = _OBSERVE.format(owner=_OWNER, expires=expires) if trial.observe else ""
    return _ENVIRONMENT.format(name=ENVIRONMENT) + observe
