"""Id of an HTTP request, stored in the ASGI scope.

Rule 1: the outermost middleware stores it; without that middleware a request has no id.
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
    """Store the id in the ASGI scope."""
    scope[_KEY] = request_id


def request_id_of(scope: Scope) -> RequestId:
    """Return the id of a request, or the empty id if it has none."""
    return scope.get(_KEY, _NONE)
