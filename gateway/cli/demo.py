"""`mcp-admission demo`: a real server with real effects behind a gateway, and its decisions as they happen.

Rule 1: the demo server is a separate process that ends with this one.
Rule 2: no file is written outside the state directory.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import click

from gateway.cli.client_configs import connections
from gateway.cli.next_steps import ExampleCall, next_steps
from gateway.cli.renamed_options import renamed
from gateway.cli.run_gateway import run, settings_from
from gateway.settings import Settings

PORT = 8931
OPENING = "Your organization is blocking this action."


@click.command(
    "demo",
    short_help="Start the demo server behind a gateway and show decisions live.",
    epilog="""\b
Examples:
  mcp-admission demo
  mcp-admission demo --policy policies --port 9000
""",
)
@click.option(
    "-d",
    "--policy",
    "directory",
    type=click.Path(file_okay=False, exists=True, path_type=Path),
    default=Path(),
    help="The policy repository, with the demo's catalog and rules in bundles/dev (default: the working directory).",
)
@renamed("--directory", new="--policy")
@click.option("--port", type=click.IntRange(0, 65535), default=8930, show_default=True, help="Port of the gateway.")
def command(directory: Path, port: int) -> None:
    """Start the demo MCP server, the gateway in front of it and its OPA, and show every decision.

    Edit a rule in bundles/dev/rules/ and save it: it takes effect immediately. Ctrl-C ends everything.
    """
    if not (directory / "bundles" / "dev" / "catalog" / "demo.yaml").is_file():
        raise click.ClickException(
            f"{directory.resolve()} has no bundles/dev/catalog/demo.yaml. Run this in a clone of the repository, or "
            "put your own server behind the gateway: mcp-admission try URL"
        )
    settings = demo_settings(directory.resolve(), port)
    with demo_server(PORT) as (_, files):
        click.echo(f"The demo server works on the files in {files}.\n")
        click.echo(connections("demo", f"{settings.public_url}/servers/demo/mcp"))
        rules = directory / "bundles" / "dev" / "rules" / "demo.yaml"
        click.echo(next_steps(settings, ExampleCall(rules=rules, agent="dev", server="demo", tool="delete_file")))
        sys.exit(run(settings, live=True))


def demo_settings(directory: Path, port: int) -> Settings:
    """Return settings for local use: anonymous callers on loopback, state in the user's state directory."""
    state = directory / ".state" / "demo"
    wanted = {
        "MCP_ADMISSION_POLICY_DIRECTORY": str(directory),
        "MCP_ADMISSION_POLICY_ENVIRONMENT": "dev",
        "MCP_ADMISSION_STATE_DIRECTORY": str(state),
        "MCP_ADMISSION_SECRETS_DIRECTORY": str(state / "secrets"),
        "MCP_ADMISSION_IDENTITY_ANONYMOUS": "true",
        "MCP_ADMISSION_LISTEN_PORT": str(port),
        "MCP_ADMISSION_REFUSAL_OPENING": OPENING,
    }
    return settings_from(None, {**os.environ, **wanted})


@contextlib.contextmanager
def demo_server(port: int) -> Generator[tuple[str, Path]]:
    """Run the demo server while the block runs, and yield its URL and the directory of its files."""
    with tempfile.TemporaryDirectory(prefix="mcp-admission-demo-") as directory:
        command_line = [sys.executable, "-m", "gateway.demo", "--port", str(port), "--directory", directory]
        with subprocess.Popen(command_line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                line = process.stdout.readline() if process.stdout else ""
                if not line:
                    raise click.ClickException(
                        "The demo server did not start. It needs the extra `demo`: pip install 'mcp-admission[demo]'"
                    )
                yield json.loads(line)["ready"], Path(directory)
            finally:
                process.kill()
