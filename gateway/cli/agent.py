"""`mcp-admission agent`: who may connect with a service token, written down in the policy repository.

Rule 1: a token is printed once, on stdout and alone; everything else is said on stderr. Nothing keeps the token.
Rule 2: what is edited is YAML for review in git; it counts when its bundle is in force.
"""

import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from gateway.cli import agent_files as files
from gateway.cli import agent_view as view
from gateway.cli.agent_files import Registration, ServiceToken
from gateway.cli.expiry_times import when
from gateway.cli.policy_option import policy_place
from gateway.identity import tokens

_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")


def _where(function: Callable[..., None]) -> Callable[..., None]:
    """The options that say which agents are meant."""
    environment = click.option("-e", "--environment", default="dev", show_default=True, help="Below bundles/.")
    return environment(policy_place(function))


_expires = click.option("--expires", default="90d", show_default=True, callback=when, help="When the token ends.")


@click.group(
    "agent",
    short_help="Register agents: new, list, rotate, revoke.",
    epilog="""\b
Examples:
  mcp-admission agent new support-bot --owner alice@example.com --purpose "Answers tickets" --kind claude-code
  mcp-admission agent list
  mcp-admission agent rotate support-bot --overlap 24h
  mcp-admission agent revoke support-bot --holder alice@example.com
""",
)
def command() -> None:
    """Register agents and their service tokens in a policy repository.

    An agent's entry is YAML in bundles/<environment>/agents/; it holds digests of tokens, never tokens. A change
    counts as soon as the bundle that has it is in force: in development when the file is saved.
    """


@command.command(
    "new",
    epilog="""\b
Examples:
  mcp-admission agent new support-bot --owner alice@example.com --purpose "Answers tickets" --kind claude-code
  TOKEN=$(mcp-admission agent new ci -e production --owner ops@example.com --purpose "Deploys" --kind own)
""",
)
@click.argument("agent")
@click.option("--owner", required=True, help="Who answers for it, such as alice@example.com.")
@click.option("--purpose", required=True, help="What it is for, in a sentence.")
@click.option("--kind", required=True, help="What it runs on, such as claude-code, cursor, own.")
@click.option("--holder", help="Who holds the token; the owner if not given.")
@_expires
@_where
def new(agent: str, owner: str, purpose: str, kind: str, **rest: Any) -> None:
    """Register an agent and print its token, once.

    Where the directory has bundles/<environment>/ the entry is written to its agents/<AGENT>.yaml; elsewhere it is
    shown. Keep the token where the agent's secrets are; only its SHA-256 is in the entry.
    """
    if not _ID.fullmatch(agent):
        raise click.ClickException(f"`{agent}` is no id: use a-z, 0-9, `.`, `_`, `-`, at most 63, not first a sign.")
    home = rest["directory"] / "bundles" / rest["environment"]
    path = home / "agents" / f"{agent}.yaml"
    if any(one.agent == agent for one in _all(home)) or path.exists():
        raise click.ClickException(f"`{agent}` is registered in {home / 'agents'}: use `agent rotate` for a new token.")
    entry = files.new_entry(agent, owner, purpose, kind)
    token = _issue(entry, rest["holder"] or owner, rest["expires"])
    if home.is_dir():
        path.parent.mkdir(exist_ok=True)
        files.write(path, files.shown(entry))
        _say(f"Written to {path}.")
    else:
        _say(f"There is no {home}; put this in bundles/{rest['environment']}/agents/{agent}.yaml:\n")
        _say(files.shown(entry))
    _hand_over(token)


@command.command(
    "list",
    epilog="""\b
Examples:
  mcp-admission agent list
  mcp-admission agent list -e production --json
""",
)
@click.option("--json", "as_json", is_flag=True, help="JSON lines, one an agent.")
@_where
def list_(directory: Path, environment: str, *, as_json: bool) -> None:
    """List agents, and who holds tokens until when."""
    now = datetime.now(UTC)
    for one in _all(directory / "bundles" / environment):
        shown = msgspec.json.encode(view.summary(one)).decode() if as_json else "\n".join(view.lines(one, now))
        click.echo(shown)


@command.command(
    "rotate",
    epilog="""\b
Examples:
  mcp-admission agent rotate support-bot
  mcp-admission agent rotate support-bot --holder bob@example.com --overlap 1h --expires 30d
""",
)
@click.argument("agent")
@click.option("--holder", help="Whose token; needed where several people hold one.")
@click.option("--overlap", default="24h", show_default=True, callback=when, help="How long the old token still works.")
@_expires
@_where
def rotate(agent: str, holder: str | None, **rest: Any) -> None:
    """Issue a new token and let the old ones end after an overlap.

    Tokens of that holder which have ended already are removed.
    """
    one = _one(rest["directory"], rest["environment"], agent)
    whose = holder or _only_holder(one)
    if rest["overlap"] is None:
        raise click.ClickException("The old token must end: give an overlap such as 24h.")
    now = datetime.now(UTC)
    files.remove(one.entry, lambda token: token.get("holder") == whose and _over(token, now, one.zone))
    old = [token for token in one.tokens if token.get("holder") == whose]
    for token in old:
        files.end(token, rest["overlap"], one.zone)
    token = _issue(one.entry, whose, rest["expires"])
    _save(one)
    _say(f"{len(old)} earlier token(s) of {whose} end by {files.moment_text(rest['overlap'])}.")
    _hand_over(token)


@command.command(
    "revoke",
    epilog="""\b
Examples:
  mcp-admission agent revoke support-bot --holder bob@example.com
  mcp-admission agent revoke support-bot --token 3f2a9c1b
  mcp-admission agent revoke support-bot --all
""",
)
@click.argument("agent")
@click.option("--holder", help="All tokens that this person holds.")
@click.option("--token", "start", help="The token whose digest begins so; at least 8 digits.")
@click.option("--all", "everything", is_flag=True, help="All tokens of the agent.")
@_where
def revoke(agent: str, holder: str | None, start: str | None, *, everything: bool, **where: Any) -> None:
    """Remove tokens of an agent; they stop working when the change is in force."""
    if sum((holder is not None, start is not None, everything)) != 1:
        raise click.ClickException("Say which tokens: one of --holder, --token, --all.")
    if start is not None and not re.fullmatch("[0-9a-f]{8,64}", start):
        raise click.ClickException("--token wants 8 to 64 hexadecimal digits of the digest, as `agent list` shows.")
    one = _one(where["directory"], where["environment"], agent)
    count = files.remove(one.entry, lambda token: _is_meant(token, holder, start))
    if not count:
        raise click.ClickException(f"`{agent}` has no such token in {one.path}; `agent list` shows what it has.")
    _save(one)
    _say(f"Removed {count} token(s) of {agent} from {one.path}.")


def _issue(entry: Any, holder: str, expires: datetime | None) -> str:
    token = tokens.token(os.urandom(tokens.RANDOM_BYTES))
    files.add(entry, ServiceToken(sha256=tokens.digest(token), holder=holder, expires=expires))
    return token


def _hand_over(token: str) -> None:
    _say("The token, shown this once:")
    click.echo(token)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _all(home: Path) -> list[Registration]:
    try:
        return files.registrations(home / "agents")
    except files.UnreadableFile as error:
        raise click.ClickException(str(error)) from error


def _one(directory: Path, environment: str, agent: str) -> Registration:
    home = directory / "bundles" / environment
    for one in _all(home):
        if one.agent == agent:
            return one
    raise click.ClickException(f"`{agent}` is not registered in {home / 'agents'}; `agent new` registers it.")


def _save(one: Registration) -> None:
    files.write(one.path, files.shown(one.document, one.text))


def _only_holder(one: Registration) -> str:
    holders = {str(token.get("holder", "")) for token in one.tokens} or {str(one.entry.get("owner", ""))}
    if len(holders) > 1:
        raise click.ClickException(
            f"`{one.agent}` has tokens of {', '.join(sorted(holders))}: say whose with --holder."
        )
    return holders.pop()


def _is_meant(token: Any, holder: str | None, start: str | None) -> bool:
    if start is not None:
        return str(token.get("sha256", "")).startswith(start)
    return holder is None or token.get("holder") == holder


def _over(token: Any, now: datetime, zone: str) -> bool:
    end = files.expiry(token, zone)
    return end is not None and end <= now
