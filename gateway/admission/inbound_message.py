"""One message at the edge, with all facts that the gateway verified itself.

Rule 1: this module holds no policy data. OPA decides which agent, action and upstream apply.
Rule 2: `message` is read once, strictly; its `raw` bytes are the ones that may be forwarded.
"""

from typing import Literal

from msgspec import Struct, field

from gateway.admission.correlation import Correlation
from gateway.admission.policy_input import Client
from gateway.admission.principal import Principal
from gateway.protocol.headers import Headers
from gateway.protocol.message import Notification, Request, Response
from gateway.protocol.methods import Method, TargetPlace
from gateway.protocol.revisions import Era
from gateway.protocol.sealing import EventSeal, RequestSeal, SessionSeal

Verb = Literal["POST", "GET", "DELETE"]


class Inbound(Struct, frozen=True, kw_only=True):
    """A client's message: verified, found in the method table, not judged yet."""

    verb: Verb
    server: str
    message: Request | Notification | Response | None
    """Null for the GET stream and for DELETE, which carry no message."""
    method: Method
    place: TargetPlace
    era: Era
    revision: str
    principal: Principal
    client: Client
    source_ip: str
    headers: tuple[tuple[str, str], ...]
    """The headers that may be forwarded upstream, in lower case, including the upstream's own session id."""
    shown: dict[str, str]
    """The headers that the settings expose to policy."""
    names: Headers
    """All headers as received, for checks against the body."""
    until: float | None = None
    """Expiry of the credential, in seconds since the epoch; null if the gateway cannot know it."""
    session: SessionSeal | None = None
    session_text: str = ""
    """The sealed `Mcp-Session-Id` that the client presented; empty if there is none."""
    answers: RequestSeal | None = None
    """The server's request that a `Response` answers."""
    resumes: EventSeal | None = None
    """The event after which a GET stream resumes."""
    correlation: Correlation = field(default_factory=Correlation)
    tasks: tuple[tuple[str, str], ...] = ()
    """The tasks that the message names: the server's id, and the id under which the client knows it."""

    @property
    def request_id(self) -> str | int | None:
        """The JSON-RPC id that an answer must have; null if no answer may have one."""
        return self.message.id if type(self.message) is Request else None
