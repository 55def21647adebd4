"""Progress tokens of the requests that are open in this worker.

Rule 1: a server may report progress only for an open request of the same session (PROTOCOL section 7).
Rule 2: on the stream of a request the token may arrive in another form. It is delivered as the client wrote it.
Rule 3: the ids of events contain the token, so that a resumed stream may report the progress of its request. Other
requests of another worker are not known here, and their progress on a GET stream is withheld.
Rule 4: a token that is too long to be kept counts only on the stream of its own request.
"""

from collections import Counter, OrderedDict
from typing import Any, Final

from gateway.admission.inbound_message import Inbound
from gateway.pipeline.call import Call
from gateway.pipeline.sealed_ids import binding_of, kept_token, progress_token
from gateway.protocol.message import Request
from gateway.protocol.reply_ids import alike, same

_Key = tuple[bytes, str | int, type]
_REMEMBERED: Final = 10_000


class ProgressTokens:
    """The progress tokens, by the sessions that they belong to."""

    def __init__(self) -> None:
        """Start without open requests."""
        self._open: Final[Counter[_Key]] = Counter()
        self._unanswered: Final[OrderedDict[_Key, None]] = OrderedDict()
        """Tokens of requests whose stream ended before the response. The client may resume it by GET."""

    def begin(self, call: Call) -> None:
        """Keep the token of a request that is sent now."""
        token = kept_token(call.inbound)
        if token is not None:
            self._open[_key(call.inbound, token)] += 1

    def end(self, call: Call, *, answered: bool) -> None:
        """Forget the token of a finished request, or keep it for a while if the request has no response yet."""
        token = kept_token(call.inbound)
        if token is None:
            return
        key = _key(call.inbound, token)
        self._open[key] -= 1
        if self._open[key] <= 0:
            del self._open[key]
        if answered:
            self._unanswered.pop(key, None)
            return
        self._unanswered[key] = None
        if len(self._unanswered) > _REMEMBERED:
            self._unanswered.popitem(last=False)

    def own(self, call: Call, given: Any) -> str | int | None:
        """Return the token as the client wrote it, or null if no request of this channel has it."""
        if type(given) is bool or not isinstance(given, str | int | float):
            return None
        if isinstance(call.inbound.message, Request):
            token = progress_token(call.inbound)
            return token if token is not None and alike(given, token) else None
        if isinstance(given, float):
            return None
        resumes, key = call.inbound.resumes, _key(call.inbound, given)
        if resumes is not None and resumes.progress_token is not None and same(given, resumes.progress_token):
            return given
        return given if key in self._open or key in self._unanswered else None


def _key(inbound: Inbound, token: str | int) -> _Key:
    return binding_of(inbound), token, type(token)
