"""`mcp-admission hub`: run the hub, and make the tokens and keys that it needs.

Rule 1: a token and a private key are shown or written once, by the command that makes them; nothing keeps them.
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
    """Serve signed bundles to gateways and OPAs, hear what they enforce, and stop what must stop."""


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
A gateway reports what it enforces under its `id`, and only by a token that names it: in `gateways`, exactly or with
`*` at the end. A token without `gateways` speaks for gateways of its own name, such as `eu`, or that with a dash and
more, such as `eu-1`. Other names are refused (403), counted as calls_refused{reason="misnamed"}, and told by the hub,
by the gateway, and by whoever waits for a rollout; such a gateway still gets its bundles. Whoever steals a gateway's
token can read bundles and claim what the gateways of that token enforce, nothing else: give each its own.

\b
Tokens and keys are taken up from the file, and from the key files that it names, within seconds of a change; nobody
who waits is let go. What cannot be used leaves in force what was, and is told with file and line (settings_refused, the
metric settings_unusable, /readyz). A token that is removed, or whose `expires` is past, opens nothing; its end is told
14 and 3 days before. `directory`, `listen` and `emergency_key` are taken up by a restart only.

\b
Four artifacts are downloaded at once by readers, and four by publishers; more are told to ask again (503). Where
`listen.most_waiting` gateways and OPAs wait, the token with most of them makes room for others. Whoever
steals a reader's token can see bundles and who moved what, and keep other readers waiting; a responder's can refuse
calls, for a day each time, and lift stops; a publisher's can point channels to bundles that your keys signed, only the
newest, and assign gateways to channels.
""",
)
@click.option("--config", type=click.Path(dir_okay=False, exists=True, path_type=Path), required=True, help="Settings.")
def serve(config: Path) -> None:
    """Run the hub until it is ended."""
    settings = load(config)
    if not isinstance(settings, HubSettings):
        raise click.ClickException(f"these settings cannot be used:\n{settings}")
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
@click.option("--role", "roles", type=click.Choice(ROLES), multiple=True, required=True, help="What it may do.")
@click.option(
    "--gateway",
    "gateways",
    multiple=True,
    metavar="NAME",
    help="A gateway's `id` that may report by it; `*` at the end stands for any end (default: NAME and NAME-*).",
)
@click.option("--days", type=click.IntRange(1, 3650), help="It ends after so many days (default: it never ends).")
def token(name: str, roles: tuple[str, ...], gateways: tuple[str, ...], days: int | None) -> None:
    """Make a token for NAME: printed once, on stdout; the entry for the hub's settings is told on stderr."""
    if gateways and "gateway" not in roles:
        raise click.UsageError("--gateway is for tokens with --role gateway.")
    text = tokens.token(secrets.token_bytes(tokens.RANDOM_BYTES))
    named = f", gateways: {json.dumps(gateways)}" if gateways else ""
    if days is not None:
        named += f', expires: "{rfc3339(time.time() + days * 86_400)}"'
    click.echo("Add to `tokens` in the hub's settings; a hub that runs takes it up within seconds:", err=True)
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
    """Make a signing key (ES256): the private one in FILE, the public one beside it, its name on stdout."""
    made = ephemeral_key()
    private = made.private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = file.with_suffix(".pub.pem")
    try:
        _write(file, private, 0o600)
        _write(public, made.public_pem.encode(), 0o644)
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}. No key that is there is replaced.") from error
    click.echo(f"wrote {file} (keep it secret) and {public} (for the settings of whoever verifies)", err=True)
    click.echo(made.keyid)


def _write(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
