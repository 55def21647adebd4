"""The options that name the bundle under review: a file, or a policy directory that is built in memory."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from msgspec import Struct

from gateway.cli.locate_opa import opa_found, remembered
from gateway.journal.encryption import KeyFault, identities
from gateway.policy.build import Builder, PolicySource
from gateway.policy.sources.problem import Problems
from gateway.review.candidate import Candidate, UnusableCandidate, from_file, from_policy

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_DIRECTORY: Final = click.Path(exists=True, file_okay=False, path_type=Path)


class NamedBundle(Struct, frozen=True, kw_only=True):
    """The values of the options."""

    bundle: Path | None
    policy: Path | None
    environment: str | None


def bundle_options(function: _Command) -> _Command:
    """Add the options that name a bundle."""
    for option in (
        click.option(
            "-e", "--environment", help="With --policy: a directory below bundles/ (default: that of the records)."
        ),
        click.option("-d", "--policy", type=_DIRECTORY, help="A policy repository; the bundle is built in memory."),
        click.option("--bundle", type=_FILE, help="A bundle file, signed or not."),
    ):
        function = option(function)
    return function


def reviewed(named: NamedBundle, recorded: Callable[[], Collection[str]] = frozenset[str]) -> Candidate:
    """Return the named bundle; end the command if there is none, or more than one.

    `recorded` returns the environments of the records, for a policy without a named environment.
    """
    if (named.bundle is None) == (named.policy is None):
        raise click.UsageError("Give one of --bundle FILE or --policy DIRECTORY with --environment NAME.")
    if named.bundle is not None:
        return _usable(from_file(named.bundle))
    if named.policy is None:
        raise AssertionError(named)
    environment = named.environment or _only(recorded())
    built = from_policy(PolicySource(named.policy, environment), Builder(remembered(), opa_found()), time.time())
    if isinstance(built, Problems):
        raise click.ClickException("\n".join(["The policy does not build:", *map(str, built.problems)]))
    return built


def _only(environments: Collection[str]) -> str:
    if len(environments) == 1:
        return next(iter(environments))
    named = ", ".join(sorted(environments))
    found = f"the records are of several ({named})" if environments else "the records do not name one"
    raise click.UsageError(f"Name the environment of the policy, below bundles/, with --environment: {found}.")


def _usable(found: Candidate | UnusableCandidate) -> Candidate:
    if isinstance(found, UnusableCandidate):
        raise click.ClickException(found.why)
    return found


def private_keys(path: Path | None) -> list[Any]:
    """Return the private keys in a file; an empty list if no file is named."""
    found = [] if path is None else identities(path)
    if isinstance(found, KeyFault):
        raise click.ClickException(f"{found.why}.")
    return found
