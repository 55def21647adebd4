"""The id of an HTTP request, as the scope of its application carries it.

Rule 1: the outermost middleware notes it; where none did, there is no id.
"""

from typing import Final, NamedTuple

from starlette.types import Scope

_KEY: Final = "gateway.request_id"


class RequestId(NamedTuple):
    """The id, and whether the client chose it."""

    text: str = ""
    given: bool = False


_NONE: Final = RequestId()


def note_request_id(scope: Scope, request_id: RequestId) -> None:
    """Put the id into the scope of the application."""
    scope[_KEY] = request_id


def request_id_of(scope: Scope) -> RequestId:
    """Return the id of a request; the empty one if it has none."""
    return scope.get(_KEY, _NONE)
