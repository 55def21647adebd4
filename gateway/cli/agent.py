"""`mcp-admission agent`: agents that may connect with a service token, registered in the policy repository.

Rule 1: a token is printed once, alone on stdout. Everything else goes to stderr. The token itself is not stored.
Rule 2: the commands edit YAML that is reviewed in git. A change takes effect when its bundle is in force.
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
    """Add the options that name the policy repository and the environment."""
    environment = click.option(
        "-e", "--environment", default="dev", show_default=True, help="A directory below bundles/."
    )
    return environment(policy_place(function))


_expires = click.option(
    "--expires",
    default="90d",
    show_default=True,
    callback=when,
    help="Expiry of the token: a duration, a date, a time or never.",
)


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

    An agent's entry is YAML in bundles/<environment>/agents/. It contains digests of tokens, never tokens. A change
    takes effect when the bundle that contains it is in force; in development, that is when the file is saved.
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
@click.option("--owner", required=True, help="Person responsible for the agent, such as alice@example.com.")
@click.option("--purpose", required=True, help="Purpose of the agent, in one sentence.")
@click.option("--kind", required=True, help="Client that the agent runs on, such as claude-code, cursor, own.")
@click.option("--holder", help="Person who holds the token (default: the owner).")
@_expires
@_where
def new(agent: str, owner: str, purpose: str, kind: str, **rest: Any) -> None:
    """Register an agent and print its token, once.

    If the repository has bundles/<environment>/, the entry is written to agents/<AGENT>.yaml in it. Otherwise the entry
    is only printed. Store the token with the agent's secrets: the entry has only its SHA-256.
    """
    if not _ID.fullmatch(agent):
        raise click.ClickException(
            f"Invalid agent id `{agent}`: use up to 63 of a-z, 0-9, `.`, `_`, `-`, starting with a letter or digit."
        )
    home = rest["directory"] / "bundles" / rest["environment"]
    path = home / "agents" / f"{agent}.yaml"
    if any(one.agent == agent for one in _all(home)) or path.exists():
        raise click.ClickException(
            f"`{agent}` is already registered in {home / 'agents'}: use `agent rotate` for a new token."
        )
    entry = files.new_entry(agent, owner, purpose, kind)
    token = _issue(entry, rest["holder"] or owner, rest["expires"])
    if home.is_dir():
        path.parent.mkdir(exist_ok=True)
        files.write(path, files.shown(entry))
        _say(f"Written to {path}.")
    else:
        _say(f"{home} does not exist. Save this as bundles/{rest['environment']}/agents/{agent}.yaml:\n")
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
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, one per agent.")
@_where
def list_(directory: Path, environment: str, *, as_json: bool) -> None:
    """List agents, the holders of their tokens, and when the tokens expire."""
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
@click.option("--holder", help="Holder of the token; required if several people hold tokens.")
@click.option(
    "--overlap", default="24h", show_default=True, callback=when, help="Time during which the old token still works."
)
@_expires
@_where
def rotate(agent: str, holder: str | None, **rest: Any) -> None:
    """Issue a new token and let the old ones expire after an overlap.

    The holder's tokens that have already expired are removed.
    """
    one = _one(rest["directory"], rest["environment"], agent)
    whose = holder or _only_holder(one)
    if rest["overlap"] is None:
        raise click.ClickException("The old token must expire: give an --overlap such as 24h.")
    now = datetime.now(UTC)
    files.remove(one.entry, lambda token: token.get("holder") == whose and _over(token, now, one.zone))
    old = [token for token in one.tokens if token.get("holder") == whose]
    for token in old:
        files.end(token, rest["overlap"], one.zone)
    token = _issue(one.entry, whose, rest["expires"])
    _save(one)
    _say(f"{len(old)} earlier token(s) of {whose} expire by {files.moment_text(rest['overlap'])}.")
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
@click.option("--holder", help="Remove all tokens that this person holds.")
@click.option("--token", "start", help="Remove the token whose digest starts with these digits (at least 8).")
@click.option("--all", "everything", is_flag=True, help="Remove all tokens of the agent.")
@_where
def revoke(agent: str, holder: str | None, start: str | None, *, everything: bool, **where: Any) -> None:
    """Remove tokens of an agent. They stop working when the change is in force."""
    if sum((holder is not None, start is not None, everything)) != 1:
        raise click.ClickException("Choose the tokens with one of --holder, --token, --all.")
    if start is not None and not re.fullmatch("[0-9a-f]{8,64}", start):
        raise click.ClickException(
            "--token takes the first 8 to 64 hexadecimal digits of a digest, as shown by `agent list`."
        )
    one = _one(where["directory"], where["environment"], agent)
    count = files.remove(one.entry, lambda token: _is_meant(token, holder, start))
    if not count:
        raise click.ClickException(f"`{agent}` has no such token in {one.path}: `agent list` shows its tokens.")
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
    raise click.ClickException(f"`{agent}` is not registered in {home / 'agents'}: register it with `agent new`.")


def _save(one: Registration) -> None:
    files.write(one.path, files.shown(one.document, one.text))


def _only_holder(one: Registration) -> str:
    holders = {str(token.get("holder", "")) for token in one.tokens} or {str(one.entry.get("owner", ""))}
    if len(holders) > 1:
        raise click.ClickException(
            f"`{one.agent}` has tokens of {', '.join(sorted(holders))}: choose one with --holder."
        )
    return holders.pop()


def _is_meant(token: Any, holder: str | None, start: str | None) -> bool:
    if start is not None:
        return str(token.get("sha256", "")).startswith(start)
    return holder is None or token.get("holder") == holder


def _over(token: Any, now: datetime, zone: str) -> bool:
    end = files.expiry(token, zone)
    return end is not None and end <= now
