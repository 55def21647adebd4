"""Agents and their tokens as text for people and as JSON for programs.

Rule 1: only digests of tokens are shown; tokens are not stored.
"""

from datetime import datetime
from typing import Any, Final

from gateway.cli import agent_files as files
from gateway.cli.agent_files import Registration

_DIGITS: Final = 12
"""Digits of a digest that identify a token in lists; `agent revoke --token` takes 8 or more."""


def lines(one: Registration, now: datetime) -> list[str]:
    """Return a line for the agent and an indented line for each of its tokens."""
    about = (one.agent, *(str(one.entry.get(name, "")) for name in ("kind", "owner", "purpose")))
    return ["  ".join(about), *(f"  token {_token(token, now, one.zone)}" for token in one.tokens)]


def summary(one: Registration) -> dict[str, Any]:
    """Return an agent as JSON."""
    return {
        "agent": one.agent,
        **{name: str(one.entry[name]) for name in ("owner", "purpose", "kind", "expires") if name in one.entry},
        "file": str(one.path),
        "tokens": [{name: str(value) for name, value in token.items()} for token in one.tokens],
    }


def _token(token: Any, now: datetime, zone: str) -> str:
    return f"{str(token.get('sha256', ''))[:_DIGITS]}  {token.get('holder', '')}  {_validity(token, now, zone)}"


def _validity(token: Any, now: datetime, zone: str) -> str:
    end = files.expiry(token, zone)
    if end is None:
        return f"expires {token['expires']}, which is not a valid time" if "expires" in token else "never expires"
    return f"{'expired' if end <= now else 'until'} {files.moment_text(end)}"
