"""The options that say where a hub is, who calls it, and how long to wait for its gateways."""

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
because_option = click.option("--because", required=True, help="Why, for the journal and whoever reads it later.")


def _channel(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """The callback of `--channel`: a hub finds nothing under a name that no channel may have."""
    wrong = misnamed(value)
    if wrong is not None:
        raise click.BadParameter(f"{wrong.detail}. {wrong.remedy}")
    return value


channel_option = click.option("--channel", required=True, callback=_channel, help="Such as production or canary.")

verification_option = click.option(
    "--verification-key",
    "verification_keys",
    type=_FILE,
    multiple=True,
    help="PEM file of one public key that bundles may be signed with (EC on P-256 or P-384); may be given twice.",
)


def hub_options(function: _Command) -> _Command:
    """Add the hub and its token."""
    return click.option("--hub", "url", required=True, metavar="URL", help="The hub's address.")(token_option(function))


def place_options(function: _Command) -> _Command:
    """Add the place to publish to."""
    place = click.option("--to", required=True, metavar="DIR|URL", help="A hub's address, or a directory.")
    return place(verification_option(token_option(function)))


def wait_options(function: _Command) -> _Command:
    """Add the barrier."""
    wait = click.option("--wait", is_flag=True, help="Return only when every live gateway enforces it.")
    deadline = click.option(
        "--deadline", type=click.FloatRange(0.1, 86_400), default=60, show_default=True, help="Seconds to wait."
    )
    least = click.option(
        "--at-least",
        type=click.IntRange(min=0),
        default=1,
        show_default=True,
        help="With --wait: so many gateways must confirm; 0 where none may be running.",
    )
    return wait(deadline(least(function)))


def place_of(to: str, token_file: Path | None, keys: Sequence[VerifyingKey], *, new: bool = False) -> PublishTarget:
    """The hub or the directory that `--to` names; `new` lets a directory begin that is not there yet."""
    if to.startswith(("http://", "https://")):
        return remote(to, token_file)
    if not new and not Path(to).is_dir():
        raise click.ClickException(f"{to} is no directory: `bundle publish --to` makes one, or name a hub's URL.")
    try:
        return DirectoryTarget(Path(to), keys)
    except OSError as error:
        raise click.ClickException(f"{to} cannot be used: {error}.") from error


def verifying_keys(files: Sequence[Path]) -> list[VerifyingKey]:
    """The public keys of these files, under the names that `hub key` printed."""
    return [_verifying(file) for file in files]


def _verifying(file: Path) -> VerifyingKey:
    try:
        return read_verifying_key(file.read_bytes())
    except OSError as error:
        raise click.ClickException(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise click.ClickException(f"{file} cannot verify bundles: {error}.") from error
