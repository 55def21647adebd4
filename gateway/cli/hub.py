"""`mcp-admission hub`: run the hub, and create the tokens and keys that it needs.

Rule 1: a token or private key is printed or written once, by the command that creates it. It is not stored elsewhere.
"""

import json
import os
import secrets
import sys
import time
from pathlib import Path
from typing import Final

import click
import uvloop
from cryptography.hazmat.primitives import serialization

from gateway.artifact.manifest import rfc3339
from gateway.artifact.signing import ephemeral_key
from gateway.cli.publishing import prune
from gateway.cli.run_gateway import logged
from gateway.hub.bearer_tokens import ROLES
from gateway.hub.serve import serve as served
from gateway.hub.settings import HubSettings, load
from gateway.identity import tokens
from gateway.telemetry import configure

_FILE: Final = click.Path(dir_okay=False, path_type=Path)


@click.group(
    "hub",
    short_help="Serve bundles and stops to gateways: serve, token, key, prune.",
    epilog="""\b
Examples:
  mcp-admission hub key emergency.pem
  mcp-admission hub token ci --role publisher
  mcp-admission hub serve --config hub.yaml
  mcp-admission hub prune --config hub.yaml --keep-days 400
""",
)
def command() -> None:
    """Serve signed bundles to gateways and OPAs, collect their reports, and distribute emergency stops."""


command.add_command(prune.command)


@command.command(
    "serve",
    epilog="""\b
Examples:
  mcp-admission hub serve --config hub.yaml

\b
A settings file:
  directory: /var/lib/mcp-admission-hub
  listen: {host: 0.0.0.0, port: 8950, tls: {certificate: tls.crt, key: tls.key}}
  keys:
    - file: release.pub.pem
  emergency_key: emergency.pem
  tokens:
    - {name: ci, roles: [publisher], expires: "2027-11-28T00:00:00Z", sha256: "<as hub token printed it>"}
    - {name: eu, roles: [gateway], gateways: ["eu-*", edge-7], sha256: "<as hub token printed it>"}

\b
A gateway reports the revision that it enforces under its `id`. Its token must allow that id: `gateways` lists ids,
exactly or with `*` at the end. A token without `gateways` allows its own name, such as `eu`, and names that continue it
with a dash, such as `eu-1`. Reports under other ids are refused (403), counted as calls_refused{reason="misnamed"}, and
reported by the hub, by the gateway, and by commands that wait for a rollout. Such a gateway still gets its bundles. A
stolen gateway token allows reading bundles and false reports for the gateways of that token, nothing else: give each
gateway its own token.

\b
Changes to tokens and keys, in the file or in the key files that it names, take effect within seconds. Open long polls
stay connected. If the new settings are invalid, the old ones stay in force, and the hub reports file and line
(settings_refused, the metric settings_unusable, /readyz). Removed or expired tokens are rejected. The hub warns 14 and
3 days before a token expires. `directory`, `listen` and `emergency_key` need a restart.

\b
Readers can download four artifacts at a time, and publishers four more. Further requests get 503 and must be repeated.
If `listen.most_waiting` gateways and OPAs are waiting, the token with the most of them makes room for others. A stolen
reader token allows reading bundles and the history of channels, and keeping other readers waiting. A stolen responder
token allows refusing calls, for a day each time, and lifting stops. A stolen publisher token allows pointing channels
to bundles that your keys signed, only the newest, and assigning gateways to channels.
""",
)
@click.option(
    "--config", type=click.Path(dir_okay=False, exists=True, path_type=Path), required=True, help="The hub's settings."
)
def serve(config: Path) -> None:
    """Run the hub until a signal stops it."""
    settings = load(config)
    if not isinstance(settings, HubSettings):
        raise click.ClickException(f"These settings cannot be used:\n{settings}")
    configure("info")
    sys.exit(uvloop.run(served(settings, logged)))


@command.command(
    "token",
    epilog="""\b
Examples:
  mcp-admission hub token ci --role publisher
  mcp-admission hub token eu --role gateway --gateway 'eu-*' --days 365
  TOKEN=$(mcp-admission hub token on-call --role responder --role reader)
""",
)
@click.argument("name")
@click.option(
    "--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="Role of the token; repeatable."
)
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    metavar="NAME",
    help="Id of a gateway that may report, or a prefix and `*`; repeatable (default: NAME and NAME-*).",
)
@click.option("--days", type=click.IntRange(1, 3650), help="Days until the token expires (default: it never expires).")
def token(name: str, roles: tuple[str, ...], gateways: tuple[str, ...], days: int | None) -> None:
    """Create a token for NAME. It is printed once, on stdout; the entry for the hub's settings is printed on stderr."""
    if gateways and "gateway" not in roles:
        raise click.UsageError("--gateway is for tokens with --role gateway.")
    text = tokens.token(secrets.token_bytes(tokens.RANDOM_BYTES))
    named = f", gateways: {json.dumps(gateways)}" if gateways else ""
    if days is not None:
        named += f', expires: "{rfc3339(time.time() + days * 86_400)}"'
    click.echo("Add this to `tokens` in the hub's settings; a running hub loads it within seconds:", err=True)
    click.echo(f'  - {{name: {name}, roles: [{", ".join(roles)}]{named}, sha256: "{tokens.digest(text)}"}}', err=True)
    click.echo(text)


@command.command(
    "key",
    epilog="""\b
Examples:
  mcp-admission hub key emergency.pem
""",
)
@click.argument("file", type=_FILE)
def key(file: Path) -> None:
    """Create a signing key (ES256): the private key in FILE, the public key in a .pub.pem file next to it.

    The id of the key is printed on stdout.
    """
    made = ephemeral_key()
    private = made.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = file.with_suffix(".pub.pem")
    try:
        _write(file, private, 0o600)
        _write(public, made.public_pem.encode(), 0o644)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}. Existing keys are not replaced.") from error
    click.echo(
        f"wrote {file} (keep it secret) and {public} (for the settings of hubs and gateways that verify)", err=True
    )
    click.echo(made.keyid)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
