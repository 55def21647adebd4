"""The settings as frozen values; each field says what it is for, and the README's table is made from that.

Rule 1: defaults are safe: loopback listeners, no anonymous callers, durable journal, masked records.
Rule 2: paths are absolute once loaded; a relative one is meant from the directory of the settings file.
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
    """Where MCP clients connect."""

    host: Annotated[str, Meta(min_length=1, description="Address of the data listener.")] = "127.0.0.1"
    port: Annotated[Port, Meta(description="Port of the data listener; 0 takes a free one.")] = 8930
    tls: Annotated[TlsSettings | None, Meta(description="Certificate of the data listener; none: plain HTTP.")] = None
    public_url: Annotated[
        str,
        Meta(description="The origin that clients use; empty: made from host, port and tls. Tokens are bound to it."),
    ] = ""
    allowed_hosts: Annotated[
        tuple[str, ...],
        Meta(description="Values of `Host` accepted beside the public URL's and, on loopback, localhost."),
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...],
        Meta(description="Values of `Origin` accepted beside the public URL's and, on loopback, localhost."),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...], Meta(description="Addresses or networks whose `X-Forwarded-For` is believed.")
    ] = ()
    plaintext: Annotated[bool, Meta(description="Accept credentials over unencrypted HTTP from other machines.")] = (
        False
    )
    drain_s: Annotated[float, Meta(ge=0, description="How long open calls may finish when the gateway stops.")] = 20
    connections: Annotated[
        Count | None,
        Meta(description="Open connections, for each worker; none: as many as its limit of open files allows."),
    ] = None
    connections_per_address: Annotated[
        Count,
        Meta(
            description="Waiting connections without a credential per address (IPv6: /64); trusted proxies are exempt."
        ),
    ] = 128
    head_s: Annotated[Seconds, Meta(description="How long a TLS handshake or the head of a request may take.")] = 15
    body_s: Annotated[Seconds, Meta(description="How long a request body may take.")] = 60
    stall_s: Annotated[
        Seconds, Meta(description="How long a client may send nothing of a body, or read nothing of an answer.")
    ] = 30
    idle_s: Annotated[Seconds, Meta(description="How long a connection is kept open between requests.")] = 75


class AdminSettings(Struct, frozen=True, kw_only=True):
    """Where health and metrics are asked for."""

    host: Annotated[str, Meta(min_length=1, description="Address of the admin listener; it has no authentication.")] = (
        "127.0.0.1"
    )
    port: Annotated[Port, Meta(description="Port of the admin listener; 0 takes a free one.")] = 8929


class JournalSettings(Struct, frozen=True, kw_only=True):
    """The record of truth."""

    directory: Annotated[
        Path, Meta(description="Directory of the segments; default: `journal` in the state directory.")
    ]
    durability: Annotated[
        Literal["disk", "process"], Meta(description="A record counts when it is on disk, or when the kernel has it.")
    ] = "disk"
    group: Annotated[
        str, Meta(max_length=32, description="Group that may read the segments, for log shippers; empty: the owner.")
    ] = ""
    masking: Annotated[
        Literal["none", "masked", "full"],
        Meta(description="How much of the policy input a record keeps: nothing, its shape, or all; secrets never."),
    ] = "masked"
    keep_read: Annotated[
        bool, Meta(description="`masked` keeps what the policy reads of arguments, claims and headers, for `replay`.")
    ] = True
    keep_arguments: Annotated[
        tuple[str, ...], Meta(description="Further arguments that `masked` keeps: JSON pointers.")
    ] = ()
    auditor_key: Annotated[
        str,
        Meta(
            description="Public key of age or SSH, or the absolute path of a file of them: encrypts arguments that the "
            "catalog wants recorded `full`."
        ),
    ] = ""
    segment_mib: Annotated[Count, Meta(description="A segment is closed at this size, MiB.")] = 64
    segment_age_s: Annotated[Count, Meta(description="A segment is closed at this age.")] = 3600
    keep_days: Annotated[Count, Meta(description="Segments older than this are removed.")] = 90
    keep_mib: Annotated[Count, Meta(description="The oldest segments are removed above this total, MiB.")] = 10240

    @property
    def options(self) -> JournalOptions:
        """What each writer of the journal is told."""
        return JournalOptions(
            durability=self.durability,
            group=self.group,
            segment_bytes=self.segment_mib * MIB,
            segment_age_s=self.segment_age_s,
            keep_s=self.keep_days * 86_400,
            keep_bytes=self.keep_mib * MIB,
        )


class IdentitySettings(Struct, frozen=True, kw_only=True):
    """Who may connect; which agent a caller is, policy data says."""

    anonymous: Annotated[bool, Meta(description="Let callers without a credential ask; loopback listeners only.")] = (
        False
    )
    issuers: Annotated[tuple[Issuer, ...], Meta(description="Issuers whose JWTs are accepted.")] = ()


class SecretsSettings(Struct, frozen=True, kw_only=True):
    """Upstream credentials: `<name>`, or `<server>/<subject>` for those per principal.

    With several issuers a subject is `<issuer>#<subject>`; a service token is `agent:<id>`; both percent-encoded.
    """

    directory: Annotated[Path, Meta(description="Directory with one file a credential.")]


class SealingSettings(Struct, frozen=True, kw_only=True):
    """The key ring of sessions and event ids; replicas share it."""

    directory: Annotated[Path, Meta(description="Directory of the keys; default: `sealing` in the state directory.")]


class StateSettings(Struct, frozen=True, kw_only=True):
    """What the gateway itself keeps between runs."""

    directory: Annotated[
        Path, Meta(description="Directory for journal, keys, stops, the last good bundles and the highest revision.")
    ]


class UpstreamSettings(Struct, frozen=True, kw_only=True):
    """How MCP servers are reached."""

    ca_file: Annotated[Path | None, Meta(description="PEM file of authorities trusted beside the system's.")] = None


class LimitSettings(Struct, frozen=True, kw_only=True):
    """What one message, caller or result may cost."""

    body_bytes: Annotated[Count, Meta(description="A request body.")] = 4 * MIB
    arguments_bytes: Annotated[Count, Meta(description="The arguments of a call.")] = 1 * MIB
    depth: Annotated[int, Meta(ge=4, le=128, description="Nesting of JSON.")] = 64
    keys: Annotated[
        Count, Meta(description="Members of all objects in a body, counting every object and array as one more.")
    ] = 20_000
    values: Annotated[Count, Meta(description="Object members and array elements in a body.")] = 200_000
    header_bytes: Annotated[int, Meta(ge=1024, description="All request headers together.")] = 32 * 1024
    headers: Annotated[int, Meta(ge=10, description="Number of request headers.")] = 100
    result_bytes: Annotated[
        Count, Meta(description="A result that is read; larger needs `large_results` on the route.")
    ] = 8 * MIB
    streams_per_principal: Annotated[Count, Meta(description="Open streams of one caller, for each worker.")] = 16
    streams: Annotated[Count, Meta(description="Open streams of all callers, for each worker.")] = 2048
    exchanges_per_principal: Annotated[
        Count, Meta(description="Requests of one caller that are under way, for each worker; more get HTTP 429.")
    ] = 512
    bytes_per_principal: Annotated[
        Count,
        Meta(description="Bytes of one caller's request bodies under way, for each worker; more get HTTP 429."),
    ] = 64 * MIB
    unread_bytes: Annotated[
        Count, Meta(description="Unread bytes of answers per worker; above it the slowest readers are disconnected.")
    ] = 128 * MIB
    keep_alive_s: Annotated[float, Meta(gt=0, le=15, description="Silence on a stream before a comment is sent.")] = 15


class ListSettings(Struct, frozen=True, kw_only=True):
    """How list results are filtered."""

    chunk: Annotated[int, Meta(ge=1, le=1000, description="Items in one question.")] = 100
    deadline_ms: Annotated[Count, Meta(description="A list is refused as a whole where one question takes longer.")] = (
        250
    )
    cache_entries: Annotated[int, Meta(ge=0, description="Verdicts on lists that are remembered.")] = 1024
    ttl_cap_ms: Annotated[int, Meta(ge=0, description="The largest `ttlMs` on a filtered result.")] = 60_000


class DefinitionSettings(Struct, frozen=True, kw_only=True):
    """What servers present."""

    max_age_s: Annotated[Count, Meta(description="A presentation older than this is listed again.")] = 300
    list_timeout_s: Annotated[
        float, Meta(gt=0, le=300, description="The gateway's own reading of a server's list ends after this time.")
    ] = 20
    list_bytes: Annotated[Count, Meta(description="Bytes of all pages of a list that the gateway reads itself.")] = (
        32 * MIB
    )
    list_pages: Annotated[Count, Meta(description="Pages of a list that the gateway reads itself.")] = 100
    lists_per_caller: Annotated[Count, Meta(description="Lists that are read for one caller at a time.")] = 8


class RefusalSettings(Struct, frozen=True, kw_only=True):
    """What a refused agent is told."""

    opening: Annotated[
        str, Meta(max_length=500, description="The first sentence of every refusal that policy decided.")
    ] = ""
    organization_message: Annotated[str, Meta(max_length=500, description="A sentence added to every refusal.")] = ""
    request_url: Annotated[str, Meta(max_length=500, description="Where access can be asked for.")] = ""


class LogSettings(Struct, frozen=True, kw_only=True):
    """Structured logs on stderr."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], Meta(description="The least severe that is written.")
    ] = "info"


class Settings(Struct, frozen=True, kw_only=True):
    """Everything that an operator can set, complete and checked."""

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
    id: Annotated[str, Meta(max_length=100, description="This gateway's name in records; empty: the host's name.")] = ""
    labels: Annotated[
        Mapping[str, str], Meta(description="What this gateway is, such as `region: eu`: hubs assign channels by it.")
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
