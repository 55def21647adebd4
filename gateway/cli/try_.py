"""`mcp-admission try URL`: put any running HTTP MCP server behind a gateway on this machine, with one command.

Rule 1: the listener is on loopback only and accepts callers without a credential. The machine is not exposed otherwise.
Rule 2: the port is checked to be free before the server is contacted or anything is printed.
Rule 3: a credential is copied to a separate file that only its owner can read, and is sent to that server only.
"""

import contextlib
import os
import sys
import tempfile
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.cli import trial_policy
from gateway.cli.catalog.credential_options import CA_FILE, secret_from, surveyed
from gateway.cli.catalog.report import failed_lines, left_out_lines
from gateway.cli.catalog.server_listing import listed
from gateway.cli.client_configs import connections
from gateway.cli.live_decisions import escaped
from gateway.cli.next_steps import ExampleCall, next_steps, plain
from gateway.cli.run_gateway import run, settings_from
from gateway.listening.sockets import Unbound, bind
from gateway.settings import Settings

_HOST = "127.0.0.1"
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(
    "try",
    short_help="Put a running MCP server behind a gateway on this machine.",
    epilog="""\b
Examples:
  mcp-admission try http://127.0.0.1:3000/mcp
  mcp-admission try https://mcp.example.com/mcp --credential-file token.txt --observe
  mcp-admission try https://mcp.example.com/mcp --header-file key.txt --keep my-policies
""",
)
@click.argument("url")
@click.option("--credential-file", type=_FILE, help="A file with the bearer token that the server requires.")
@click.option("--header-file", type=_FILE, help="A file with the line `Header-Name: value` that the server requires.")
@CA_FILE
@click.option("--observe", is_flag=True, help="Do not refuse calls; only show which would be refused.")
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the policy in this directory.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8930,
    show_default=True,
    help="Port of the gateway; 0 chooses a free one.",
)
def command(  # noqa: PLR0913 - one parameter an option
    *,
    url: str,
    credential_file: Path | None,
    header_file: Path | None,
    ca_file: Path | None,
    observe: bool,
    keep: Path | None,
    port: int,
) -> None:
    """Import the tools of the MCP server at URL, allow reads, refuse the rest, and show every decision live.

    The policy is a few YAML files, which you can edit while it runs. Ctrl-C ends everything.
    """
    secret = secret_from(credential=None, secrets=None, credential_file=credential_file, header_file=header_file)
    port = _free(port)
    survey = surveyed(url, secret, ca_file)
    things, left_out = listed(survey)
    with _directory(keep) as directory:
        tried = trial_policy.Trial(
            server=trial_policy.identifier(survey.name),
            url=url,
            title=survey.title,
            things=things,
            observe=observe,
            credential=secret is not None,
        )
        environment = trial_policy.write(tried, directory, datetime.now(UTC))
        _supply(directory / "secrets", tried.server, credential_file or header_file)
        settings = _settings(directory, port, ca_file)
        click.echo(f"{escaped(survey.title or survey.name)} lists {len(things)} items. Its policy: {environment}")
        for line in (*left_out_lines(left_out), *failed_lines(survey.failed)):
            click.echo(line, err=True)
        click.echo()
        click.echo(connections(tried.server, f"{settings.public_url}/servers/{tried.server}/mcp"))
        tool = plain(thing.key for thing in things if thing.section == "tools")
        rules = environment / "rules" / "trial.yaml"
        example = ExampleCall(rules=rules, agent=trial_policy.ENVIRONMENT, server=tried.server, tool=tool)
        click.echo(next_steps(settings, example))
        sys.exit(run(settings, live=True))


@contextlib.contextmanager
def _directory(keep: Path | None) -> Generator[Path]:
    """Yield the directory of the trial: the one to keep, or a temporary one."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="mcp-admission-try-") as directory:
        yield Path(directory)


def _supply(secrets: Path, server: str, credential: Path | None) -> None:
    """Copy the credential to the file that the gateway reads."""
    secrets.mkdir(mode=0o700, exist_ok=True)
    if credential is None:
        return
    path = secrets / server
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(credential.read_bytes())


def _free(port: int) -> int:
    """Return the port if the gateway can listen on it, or a free port for 0."""
    found = bind(_HOST, port, 1)
    if isinstance(found, Unbound):
        raise click.ClickException(f"{found.message} --port 0 chooses a free one.")
    with found[0] as listener:
        return int(listener.getsockname()[1])


def _settings(directory: Path, port: int, ca_file: Path | None) -> Settings:
    wanted = {
        "MCP_ADMISSION_POLICY_DIRECTORY": str(directory),
        "MCP_ADMISSION_POLICY_ENVIRONMENT": trial_policy.ENVIRONMENT,
        "MCP_ADMISSION_STATE_DIRECTORY": str(directory / ".state"),
        "MCP_ADMISSION_SECRETS_DIRECTORY": str(directory / "secrets"),
        "MCP_ADMISSION_IDENTITY_ANONYMOUS": "true",
        "MCP_ADMISSION_LISTEN_HOST": _HOST,
        "MCP_ADMISSION_LISTEN_PORT": str(port),
        "MCP_ADMISSION_ADMIN_PORT": "0",
    }
    trusted = {} if ca_file is None else {"MCP_ADMISSION_UPSTREAMS_CA_FILE": str(ca_file.resolve())}
    return settings_from(None, {**os.environ, **wanted, **trusted})
