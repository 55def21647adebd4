"""The question that the gateway sends to OPA, `mcp.input/v1` (DESIGN section 3).

Rule 1: it states events, not policy data: policy data is joined in Rego.
Rule 2: `rego/schemas/input.json` is generated from these types, and a test keeps the two equal.
Rule 3: a list item is stated by the same constructor as the call that would use it.
"""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType, field

from gateway.admission.principal import Principal
from gateway.admission.sql_statements import StatementKind

SCHEMA: Final = "mcp.input/v1"

Phase = Literal["request", "list", "stream", "server_request"]
Kind = Literal["request", "notification", "response"]
Era = Literal["modern", "legacy"]
TargetType = Literal["tool", "resource", "prompt", "task", "none"]
SchemaCheck = Literal["match", "mismatch", "uncheckable", "none"]
DefinitionStatus = Literal["seen", "not_listed", "listing_failed"]
"""Listing state of the target: the server's list shows it, lacks it, or could not be read."""


class Retry(Struct, frozen=True, kw_only=True):
    """A multi-round-trip retry (revision 2026-07-28): the members that the client sent back."""

    has_state: bool = False
    answers: list[str] = []
    """The keys of `inputResponses`, sorted."""


class AskedMessage(Struct, frozen=True, kw_only=True):
    """The message as policy sees it: its envelope, not its content."""

    method: str
    kind: Kind
    revision: str
    era: Era
    retry: Retry = field(default_factory=Retry)


class Client(Struct, frozen=True, kw_only=True):
    """Name and version that the client claims: for display, never for trust."""

    name: str = ""
    version: str = ""


class Server(Struct, frozen=True, kw_only=True):
    """The upstream named by the request path."""

    id: str


class Target(Struct, frozen=True, kw_only=True):
    """The target of the message; `name` for tools, prompts and tasks, `uri` for resources."""

    type: TargetType = "none"
    name: str | None = None
    uri: str | None = None
    """In normal form (gateway.admission.uris)."""
    written: str | None = None
    """The URI as written and forwarded, if it differs."""


class Definition(Struct, frozen=True, kw_only=True):
    """The definition of the target that the server presents, as digests (SHA-256 over RFC 8785 JSON, hexadecimal)."""

    sha256: str
    parts: dict[str, str]
    """One digest per field of the definition: `title`, `description`, `inputSchema`, ..."""
    annotations: dict[str, Any]
    """The server's own tool annotations: untrusted hints."""


class ArgumentError(Struct, frozen=True, kw_only=True):
    """One reason why arguments do not fit the presented schema. It contains no argument value."""

    path: str
    """JSON pointer into the arguments; empty for all of them."""
    keyword: str
    message: str


class ArgumentsMeta(Struct, frozen=True, kw_only=True):
    """Measures of the arguments; `bytes` and `depth` of their JSON, `digest` hexadecimal SHA-256 over it."""

    bytes: int = 0
    digest: str = ""
    depth: int = 0
    schema: SchemaCheck = "none"
    formats: SchemaCheck = "none"
    """The same verdict with formats asserted; `none` if the schema names no format."""
    unchecked: list[str] = []
    """The first keywords of the presented schema that cannot be checked, as JSON pointers into it."""
    errors: list[ArgumentError] = []
    """The first reasons why the arguments do not match."""


class TextFacts(Struct, frozen=True, kw_only=True):
    """Facts of the gateway about one string argument. A fact that readers may understand differently is left out."""

    host: str | UnsetType = UNSET
    """The host of an absolute URL: a lower-case name in A-labels, or an address."""
    domain: str | UnsetType = UNSET
    """The domain of one mail address, in the same form."""
    path: str | UnsetType = UNSET
    """A file path in normal form."""
    mysql: list[StatementKind] | UnsetType = UNSET
    """The kinds of the SQL statements in the text, if it is read as MySQL."""
    postgres: list[StatementKind] | UnsetType = UNSET
    """The same, read as PostgreSQL."""
    sqlite: list[StatementKind] | UnsetType = UNSET
    """The same, read as SQLite."""


class Item(Struct, frozen=True, kw_only=True):
    """One entry of a list, stated as the call that would use it."""

    message: AskedMessage
    target: Target
    definition: Definition | None
    definition_status: DefinitionStatus | UnsetType = UNSET


class Time(Struct, frozen=True, kw_only=True):
    """The time of the question; policies have no clock of their own."""

    unix_ns: int
    rfc3339: str
    weekday: str
    hour: int
    minute: int
    timezone: str


class Gateway(Struct, frozen=True, kw_only=True):
    """The gateway that asks."""

    id: str
    version: str


class Context(Struct, frozen=True, kw_only=True):
    """Circumstances of the question; `headers` has only names that the settings allow."""

    time: Time
    source_ip: str
    gateway: Gateway
    headers: dict[str, str] = {}
    session: str = ""
    """Digest of the client's `Mcp-Session-Id` (`session_digest`); empty if it presents none."""


class PolicyInput(Struct, frozen=True, kw_only=True):
    """The whole question; `items` is used in phase `list` only."""

    phase: Phase
    message: AskedMessage
    principal: Principal
    client: Client
    server: Server
    target: Target
    context: Context
    definition: Definition | None = None
    definition_status: DefinitionStatus | UnsetType = UNSET
    """Reason for the presence or absence of a definition; unset if that is not known, which permits nothing."""
    arguments: dict[str, Any] = {}
    arguments_meta: ArgumentsMeta = field(default_factory=ArgumentsMeta)
    facts: dict[str, TextFacts] | UnsetType = UNSET
    """JSON pointer into the arguments -> facts of the string there; set if the policy asked for facts."""
    items: list[Item] = []
    schema: Literal["mcp.input/v1"] = SCHEMA
