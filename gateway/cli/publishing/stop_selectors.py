"""The selector options of `stop`: each may be given once, and all must match."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from gateway.admission.session_digest import session_digest
from gateway.artifact.stops_bundle import KINDS, Kind

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DIGEST: Final = 32
_HELP: Final[dict[Kind, str]] = {
    "agent": "An agent's id.",
    "kind": "The kind of an agent, such as cursor.",
    "label": "A label of an agent.",
    "principal": "A principal's subject, or <issuer>#<subject>.",
    "group": "A group of the principal, or <issuer>#<group>.",
    "session": "An Mcp-Session-Id, or its digest in the journal (`session`).",
    "server": "A server's id in the catalog.",
    "tag": "A tag of the server in the catalog.",
    "target": "<server>/<tool, prompt or URI>.",
    "action": "read, write, delete, send, execute or list; an unknown action matches each of them.",
}


def selector_options(function: _Command) -> _Command:
    """Add an option for each selector of a stop."""
    for kind, text in reversed(_HELP.items()):
        function = click.option(f"--{kind}", multiple=True, metavar="NAME", help=text)(function)
    return function


def chosen(options: Mapping[str, Any]) -> dict[Kind, str]:
    """Return the selected values; end the command if an option was given twice."""
    for kind in KINDS:
        if len(options[kind]) > 1:
            raise click.UsageError(f"--{kind} is given twice: make a separate stop for each value.")
    found: dict[Kind, str] = {kind: options[kind][0] for kind in KINDS if options[kind] and options[kind][0]}
    if "session" in found:
        found["session"] = _digest(found["session"])
    return found


def _digest(text: str) -> str:
    """Return the digest of a session, which can be given by its id or by the digest."""
    known = len(text) == _DIGEST and all(character in "0123456789abcdef" for character in text)
    return text if known else session_digest(text)
