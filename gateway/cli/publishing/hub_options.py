"""The options for the hub, the caller's token, and the time to wait for gateways."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from gateway.artifact.signature_checks import VerifyingKey, read_verifying_key
from gateway.cli.publishing.hub_client import TOKEN, remote
from gateway.cli.publishing.publish_target import DirectoryTarget, PublishTarget
from gateway.hub.promotion import misnamed

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE: Final = click.Path(dir_okay=False, path_type=Path)

token_option = click.option("--token-file", type=_FILE, help=f"File with the token for the hub (default: ${TOKEN}).")
because_option = click.option("--because", required=True, help="Reason, recorded in the journal.")


def _channel(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Reject a name that a channel cannot have (the callback of `--channel`)."""
    wrong = misnamed(value)
    if wrong is not None:
        raise click.BadParameter(f"{wrong.detail}. {wrong.remedy}")
    return value


channel_option = click.option(
    "--channel", required=True, callback=_channel, help="Name of the channel, such as production or canary."
)

verification_option = click.option(
    "--verification-key",
    "verification_keys",
    type=_FILE,
    multiple=True,
    help="PEM file of a public key that bundles may be signed with (EC on P-256 or P-384); repeatable.",
)


def hub_options(function: _Command) -> _Command:
    """Add the options for the hub and the token."""
    return click.option("--hub", "url", required=True, metavar="URL", help="Address of the hub.")(
        token_option(function)
    )


def place_options(function: _Command) -> _Command:
    """Add the options for the hub or directory to publish to."""
    place = click.option("--to", required=True, metavar="DIR|URL", help="Address of a hub, or a directory.")
    return place(verification_option(token_option(function)))


def wait_options(function: _Command) -> _Command:
    """Add the options to wait for gateways."""
    wait = click.option("--wait", is_flag=True, help="Wait until every live gateway enforces it.")
    deadline = click.option(
        "--deadline", type=click.FloatRange(0.1, 86_400), default=60, show_default=True, help="Seconds to wait."
    )
    least = click.option(
        "--at-least",
        type=click.IntRange(min=0),
        default=1,
        show_default=True,
        help="With --wait: number of gateways that must confirm; 0 if none need be running.",
    )
    return wait(deadline(least(function)))


def place_of(to: str, token_file: Path | None, keys: Sequence[VerifyingKey], *, new: bool = False) -> PublishTarget:
    """Return the hub or directory that `--to` names; with `new`, the directory may be missing and is created."""
    if to.startswith(("http://", "https://")):
        return remote(to, token_file)
    if not new and not Path(to).is_dir():
        raise click.ClickException(
            f"{to} is not a directory: create it with `bundle publish --to`, or give the URL of a hub."
        )
    try:
        return DirectoryTarget(Path(to), keys)
    except OSError as error:
        raise click.ClickException(f"{to} cannot be used: {error}.") from error


def verifying_keys(files: Sequence[Path]) -> list[VerifyingKey]:
    """Return the public keys of these files, under the ids that `hub key` printed."""
    return [_verifying(file) for file in files]


def _verifying(file: Path) -> VerifyingKey:
    try:
        return read_verifying_key(file.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise click.ClickException(f"{file} is not a key that can verify bundles: {error}.") from error
