"""One message at the edge, with everything about it that the gateway verified itself.

Rule 1: nothing here is policy data; which agent, which action, which upstream are for OPA to say.
Rule 2: `message` is what was read once, strictly; its `raw` bytes are what may travel.
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
    """A client's message: verified, placed in the method table, not yet asked about."""

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
    """The headers that may travel upstream, in lower case, the upstream's own session id included."""
    shown: dict[str, str]
    """The headers that settings show to policy."""
    names: Headers
    """All headers as they came, for checks against the body."""
    until: float | None = None
    """When the credential that it came with ends, in seconds since the epoch; null where the gateway cannot know."""
    session: SessionSeal | None = None
    session_text: str = ""
    """The `Mcp-Session-Id` that the client presented, sealed; empty where there is none."""
    answers: RequestSeal | None = None
    """The server's request that a `Response` answers."""
    resumes: EventSeal | None = None
    """The event after which a GET stream resumes."""
    correlation: Correlation = field(default_factory=Correlation)
    tasks: tuple[tuple[str, str], ...] = ()
    """The tasks that the message names: the server's id, and the id under which the client knows it."""

    @property
    def request_id(self) -> str | int | None:
        """The JSON-RPC id that an answer must carry; null where no answer may carry one."""
        return self.message.id if type(self.message) is Request else None
