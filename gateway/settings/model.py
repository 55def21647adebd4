"""The settings as frozen values; each field has a description, from which the README's table is generated.

Rule 1: defaults are safe: loopback listeners, no anonymous callers, durable journal, masked records.
Rule 2: paths are absolute once loaded; a relative path starts at the directory of the settings file.
"""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, field

from gateway.identity.issuer import Issuer
from gateway.journal.journal_options import JournalOptions
from gateway.settings.policy_settings import Count, OpaSettings, PolicySettings

MIB: Final = 1024 * 1024

Port = Annotated[int, Meta(ge=0, le=65535)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class TlsSettings(Struct, frozen=True, kw_only=True):
    """The data listener's certificate, reloaded when the files change."""

    certificate: Annotated[Path, Meta(description="PEM file: certificate, then its chain.")]
    key: Annotated[Path, Meta(description="PEM file of the private key.")]


class ListenSettings(Struct, frozen=True, kw_only=True):
    """The listener for MCP clients."""

    host: Annotated[str, Meta(min_length=1, description="Address of the data listener.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the data listener; 0 selects a free one.")] = 8930
    tls: Annotated[TlsSettings | None, Meta(description="Certificate of the data listener; none: plain HTTP.")] = None
    public_url: Annotated[
        str,
        Meta(description="Origin that clients use; empty: derived from host, port and tls. Tokens are bound to it."),
    ] = ""
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(description="Accepted values of `Host` in addition to the public URL's and, on loopback, localhost."),
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(description="Accepted values of `Origin` in addition to the public URL's and, on loopback, localhost."),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="Addresses or networks whose `X-Forwarded-For` is trusted.")
    ] = ()
    plaintext: Annotated[bool, Meta(description="Accept credentials over unencrypted HTTP from other machines.")] = (
        False
    )
    drain_s: Annotated[float, Meta(ge=0, description="Seconds for open calls to finish when the gateway stops.")] = 20
    connections: Annotated[
        Count | None,
        Meta(description="Maximum open connections, for each worker; none: as many as the limit of open files allows."),
    ] = None
    connections_per_address: Annotated[
        Count,
        Meta(
            description="Waiting connections without a credential per address (IPv6: /64); trusted proxies are exempt."
        ),
    ] = 128
    head_s: Annotated[Seconds, Meta(description="Maximum seconds for a TLS handshake or the head of a request.")] = 15
    body_s: Annotated[Seconds, Meta(description="Maximum seconds for a request body.")] = 60
    stall_s: Annotated[
        Seconds, Meta(description="Maximum seconds in which a client sends no body data, or reads no response data.")
    ] = 30
    idle_s: Annotated[Seconds, Meta(description="Seconds that a connection is kept open between requests.")] = 75


class AdminSettings(Struct, frozen=True, kw_only=True):
    """The listener for health and metrics."""

    host: Annotated[str, Meta(min_length=1, description="Address of the admin listener; it has no authentication.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="Port of the admin listener; 0 selects a free one.")] = 8929


class JournalSettings(Struct, frozen=True, kw_only=True):
    """The journal of decisions."""

    directory: Annotated[
        Path, Meta(description="Directory of the segments; default: `journal` in the state directory.")
    ]
    durability: Annotated[
        Literal["disk", "process"], Meta(description="A record counts when it is on disk, or when the kernel has it.")
    ] = "disk"
    group: Annotated[
        str, Meta(max_length=32, description="Group that may read the segments, for log shippers; empty: owner only.")
    ] = ""
    masking: Annotated[
        Literal["none", "masked", "full"],
        Meta(description="Policy input in a record: nothing, its shape, or everything; never secrets."),
    ] = "masked"
    keep_read: Annotated[
        bool, Meta(description="`masked` keeps the arguments, claims and headers that the policy reads, for `replay`.")
    ] = True
    keep_arguments: Annotated[
        tuple[str, ...], Meta(description="Additional arguments that `masked` keeps: JSON pointers.")
    ] = ()
    auditor_key: Annotated[
        str,
        Meta(
            description="Public age or SSH key, or the absolute path of a file of them: encrypts arguments that the "
            "catalog records `full`."
        ),
    ] = ""
    segment_mib: Annotated[Count, Meta(description="Size at which a segment is closed, MiB.")] = 64
    segment_age_s: Annotated[Count, Meta(description="Age at which a segment is closed, seconds.")] = 3600
    keep_days: Annotated[Count, Meta(description="Age above which segments are removed, days.")] = 90
    keep_mib: Annotated[Count, Meta(description="Total size above which the oldest segments are removed, MiB.")] = 10240

    @property
    def options(self) -> JournalOptions:
        """The options of each journal writer."""
        return JournalOptions(
            durability=self.durability,
            group=self.group,
            segment_bytes=self.segment_mib * MIB,
            segment_age_s=self.segment_age_s,
            keep_s=self.keep_days * 86_400,
            keep_bytes=self.keep_mib * MIB,
        )


class IdentitySettings(Struct, frozen=True, kw_only=True):
    """Trusted credentials of callers; policy data assigns a caller to an agent."""

    anonymous: Annotated[bool, Meta(description="Accept callers without a credential; loopback listeners only.")] = (
        False
    )
    issuers: Annotated[tuple[Issuer, ...], Meta(description="Issuers whose JWTs are accepted.")] = ()


class SecretsSettings(Struct, frozen=True, kw_only=True):
    """Upstream credentials: `<name>`, or `<server>/<subject>` for credentials of one principal.

    With several issuers a subject is `<issuer>#<subject>`; for a service token it is `agent:<id>`. Both are
    percent-encoded.
    """

    directory: Annotated[Path, Meta(description="Directory with one file for each credential.")]


class SealingSettings(Struct, frozen=True, kw_only=True):
    """The sealing keys of sessions and event ids; replicas share them."""

    directory: Annotated[Path, Meta(description="Directory of the keys; default: `sealing` in the state directory.")]


class StateSettings(Struct, frozen=True, kw_only=True):
    """The data that the gateway itself keeps between runs."""

    directory: Annotated[
        Path, Meta(description="Directory for journal, keys, stops, the last good bundles and the highest revision.")
    ]


class UpstreamSettings(Struct, frozen=True, kw_only=True):
    """Connections to MCP servers."""

    ca_file: Annotated[
        Path | None, Meta(description="PEM file of authorities trusted in addition to the system's.")
    ] = None


class LimitSettings(Struct, frozen=True, kw_only=True):
    """Limits of one message, caller or result."""

    body_bytes: Annotated[Count, Meta(description="Maximum size of a request body, bytes.")] = 4 * MIB
    arguments_bytes: Annotated[Count, Meta(description="Maximum size of a call's arguments, bytes.")] = 1 * MIB
    depth: Annotated[int, Meta(ge=4, le=128, description="Maximum nesting of JSON.")] = 64
    keys: Annotated[
        Count, Meta(description="Maximum object members in a body; each object and each array counts as one more.")
    ] = 20_000
    values: Annotated[Count, Meta(description="Maximum object members and array elements in a body.")] = 200_000
    header_bytes: Annotated[int, Meta(ge=1024, description="Maximum size of all request headers, bytes.")] = 32 * 1024
    headers: Annotated[int, Meta(ge=10, description="Maximum number of request headers.")] = 100
    result_bytes: Annotated[
        Count, Meta(description="Maximum size of a result, bytes; larger ones need `large_results` on the route.")
    ] = 8 * MIB
    streams_per_principal: Annotated[
        Count, Meta(description="Maximum open streams of one caller, for each worker.")
    ] = 16
    streams: Annotated[Count, Meta(description="Maximum open streams of all callers, for each worker.")] = 2048
    exchanges_per_principal: Annotated[
        Count, Meta(description="Maximum concurrent requests of one caller, for each worker; more get HTTP 429.")
    ] = 512
    bytes_per_principal: Annotated[
        Count,
        Meta(description="Maximum bytes of one caller's open request bodies, for each worker; more get HTTP 429."),
    ] = 64 * MIB
    unread_bytes: Annotated[
        Count,
        Meta(description="Maximum unread response bytes per worker; above it the slowest readers are disconnected."),
    ] = 128 * MIB
    keep_alive_s: Annotated[
        float, Meta(gt=0, le=15, description="Seconds without data on a stream before a comment is sent.")
    ] = 15


class ListSettings(Struct, frozen=True, kw_only=True):
    """Filtering of list results."""

    chunk: Annotated[int, Meta(ge=1, le=1000, description="Items in one policy query.")] = 100
    deadline_ms: Annotated[
        Count, Meta(description="Maximum milliseconds for one policy query; if it takes longer, the list is refused.")
    ] = 250
    cache_entries: Annotated[int, Meta(ge=0, description="Maximum cached verdicts on lists.")] = 1024
    ttl_cap_ms: Annotated[int, Meta(ge=0, description="Maximum `ttlMs` on a filtered result.")] = 60_000


class DefinitionSettings(Struct, frozen=True, kw_only=True):
    """Definitions that servers present."""

    max_age_s: Annotated[Count, Meta(description="Age above which definitions are listed again, seconds.")] = 300
    list_timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="Maximum seconds for the gateway's own reading of a server's list.")
    ] = 20
    list_bytes: Annotated[Count, Meta(description="Maximum bytes of a list that the gateway reads itself.")] = 32 * MIB
    list_pages: Annotated[Count, Meta(description="Maximum pages of a list that the gateway reads itself.")] = 100
    lists_per_caller: Annotated[Count, Meta(description="Maximum lists read at the same time for one caller.")] = 8


class RefusalSettings(Struct, frozen=True, kw_only=True):
    """Texts of refusals for agents."""

    opening: Annotated[str, Meta(max_length=500, description="First sentence of each refusal by policy.")] = ""
    organization_message: Annotated[str, Meta(max_length=500, description="Sentence added to each refusal.")] = ""
    request_url: Annotated[str, Meta(max_length=500, description="URL at which access can be requested.")] = ""


class LogSettings(Struct, frozen=True, kw_only=True):
    """Structured logs on stderr."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="Lowest severity that is logged.")
    ] = "info"


class Settings(Struct, frozen=True, kw_only=True):
    """All settings of the gateway, complete and checked."""

    policy: PolicySettings
    journal: JournalSettings
    secrets: SecretsSettings
    sealing: SealingSettings
    state: StateSettings
    listen: ListenSettings = field(default_factory=ListenSettings)
    admin: AdminSettings = field(default_factory=AdminSettings)
    opa: OpaSettings = field(default_factory=OpaSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    upstreams: UpstreamSettings = field(default_factory=UpstreamSettings)
    limits: LimitSettings = field(default_factory=LimitSettings)
    lists: ListSettings = field(default_factory=ListSettings)
    definitions: DefinitionSettings = field(default_factory=DefinitionSettings)
    refusal: RefusalSettings = field(default_factory=RefusalSettings)
    logs: LogSettings = field(default_factory=LogSettings)
    headers: Annotated[
        tuple[str, ...], Meta(description="Request headers that policy may see; never credentials.")
    ] = ()
    workers: Annotated[int, Meta(ge=1, le=64, description="Worker processes.")] = 1
    id: Annotated[str, Meta(max_length=100, description="This gateway's name in records; empty: the host name.")] = ""
    labels: Annotated[
        Mapping[str, str],
        Meta(description="Labels of this gateway, such as `region: eu`; hubs assign channels by them."),
    ] = field(default_factory=dict[str, str])

    @property
    def gateway_id(self) -> str:
        """This gateway's name."""
        return self.id or socket.gethostname()

    @property
    def public_url(self) -> str:
        """The origin that clients use, without a trailing slash."""
        if self.listen.public_url:
            return self.listen.public_url.rstrip("/")
        scheme = "https" if self.listen.tls else "http"
        host = f"[{self.listen.host}]" if ":" in self.listen.host else self.listen.host
        return f"{scheme}://{host}:{self.listen.port}"
