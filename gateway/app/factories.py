"""Conversion of settings to the values and clients of each component of a worker."""

from functools import partial
from pathlib import Path

from msgspec import Struct

from gateway.admission.decision import PolicyFailure
from gateway.admission.policy_input import Gateway
from gateway.admission.record_masking import Masking, Seal, in_arguments
from gateway.admission.refusal import Wording
from gateway.app.bundle_requirements import GatewayDescription
from gateway.app.worker_context import RandomIds, SystemClock, WorkerContext
from gateway.app.worker_peers import SupervisedPeers
from gateway.definitions import DefinitionCache
from gateway.identity.authenticator import Authenticator
from gateway.identity.protected_resource import Resource
from gateway.journal.encryption import Recipients, encrypted, recipients
from gateway.journal.highest_policy_sequence import HighwaterFile
from gateway.journal.writer import JournalWriter, writer_name
from gateway.opa.aiohttp_transport import RemoteOpa, remote_exchange
from gateway.opa.client import Deadlines, OpaClient
from gateway.opa.opa_status import OpaStatus, RemoteOpaStatus, UnixOpaStatus
from gateway.opa.readiness_probe import ReadinessProbe
from gateway.opa.readiness_probe import StalenessLimits as PulseLimits
from gateway.opa.transport import Transport
from gateway.opa.unix_transport import UnixTransport
from gateway.pipeline.discovery_limits import DiscoveryLimits
from gateway.pipeline.engine import Dependencies
from gateway.pipeline.heavy_turns import HeavyTurns
from gateway.pipeline.item_verdicts import Listings, ListLimits
from gateway.pipeline.ports import Floods
from gateway.protocol.sealing import Ring
from gateway.protocol.strict_json import JsonLimits as MessageLimits
from gateway.server import EndpointLimits, StreamLimits, Streams
from gateway.server.exchange_limits import CallerLimits
from gateway.server.relay import RelayLimits
from gateway.settings import Settings
from gateway.shared_counters import CounterPage, alone, attached
from gateway.telemetry.refusal_log import RefusalLog
from gateway.upstream import HttpUpstream
from gateway.version import VERSION


class WorkerClients(Struct, frozen=True):
    """The clients of one worker: OPA, the journal, upstreams, and the other workers."""

    policy: OpaClient
    journal: JournalWriter
    upstream: HttpUpstream
    peers: SupervisedPeers
    refusals: RefusalLog


def calls_of(
    policy: OpaClient, journal: JournalWriter, upstream: HttpUpstream, peers: SupervisedPeers, refusals: RefusalLog
) -> WorkerClients:
    """Return the clients together, with logging of their failures."""
    policy.on_failure = lambda failure: refusals.at_source(failure.code, _described(failure))
    journal.on_failure = partial(refusals.at_source, "journal_unavailable")
    return WorkerClients(policy, journal, upstream, peers, refusals)


def _described(failure: PolicyFailure) -> str:
    """Return the failed requirement and its detail, or the error in OPA's response."""
    return f"{failure.requirement}: {failure.detail}" if failure.requirement else failure.detail


def opa_of(settings: Settings, handed: WorkerContext) -> tuple[OpaClient, OpaStatus]:
    """Return the client of the managed or external OPA, and the reader of its status."""
    exchange, vitals = _reached(settings, handed)
    deadlines = Deadlines(decision=settings.opa.deadline_ms / 1000, listing=settings.lists.deadline_ms / 1000)
    client = OpaClient(exchange, HighwaterFile(settings.journal.directory), deadlines=deadlines)
    client.enforceable.terms = terms_of(settings, handed)
    client.enforceable.stops_expected = bool(handed.opa_socket)
    return client, vitals


def terms_of(settings: Settings, handed: WorkerContext) -> GatewayDescription:
    """Return the conditions for policies; an external OPA may enforce any environment."""
    bundle = settings.policy.bundle
    return GatewayDescription(
        environment=settings.policy.environment if handed.opa_socket else "",
        grace_s=0 if bundle is None else bundle.not_after_grace_s,
        reads_claims=bool(settings.identity.issuers),
    )


def _reached(settings: Settings, handed: WorkerContext) -> tuple[Transport, OpaStatus]:
    if handed.opa_socket:
        exchange = UnixTransport(Path(handed.opa_socket))
        return exchange, UnixOpaStatus(exchange)
    token = settings.opa.token_file.read_text(encoding="ascii").strip() if settings.opa.token_file else ""
    remote = RemoteOpa(url=settings.opa.url, token=token, ca_file=str(settings.opa.ca_file or ""))
    return remote_exchange(remote), RemoteOpaStatus(remote)


def gateway_of(settings: Settings) -> Gateway:
    """Return the id and version that this gateway reports."""
    return Gateway(id=settings.gateway_id, version=VERSION)


def pulse_of(settings: Settings, handed: WorkerContext, client: OpaClient, vitals: OpaStatus) -> ReadinessProbe:
    """Return the probe that checks OPA's readiness every second."""
    opa = settings.opa
    limits = PulseLimits(soft_s=opa.soft_s, hard_s=opa.stale_hard_s, followed=handed.followed)
    return ReadinessProbe(client, vitals, gateway=gateway_of(settings), limits=limits)


def journal_of(settings: Settings, handed: WorkerContext) -> JournalWriter:
    """Return this worker's journal, not started."""
    writer = writer_name(f"worker{handed.worker}")
    return JournalWriter(settings.journal.directory, settings.journal.options, writer=writer)


def identity_of(settings: Settings) -> Authenticator:
    """Return the verifier of credentials."""
    issuers = settings.identity.issuers
    return Authenticator(Resource(settings.public_url, issuers), issuers, anonymous=settings.identity.anonymous)


def parts_of(
    settings: Settings, handed: WorkerContext, who: Gateway, calls: WorkerClients, floods: Floods
) -> Dependencies:
    """Return the dependencies of the pipeline."""
    return Dependencies(
        policy=calls.policy,
        journal=calls.journal,
        upstream=calls.upstream,
        peers=calls.peers,
        definitions=DefinitionCache(counters_of(handed), max_age_s=settings.definitions.max_age_s),
        listings=Listings(
            calls.policy,
            ListLimits(chunk=settings.lists.chunk, entries=settings.lists.cache_entries),
            calls.refusals.drifted,
        ),
        floods=floods,
        clock=SystemClock(),
        ids=RandomIds(),
        ring=Ring(*handed.sealing_keys[:2]),
        gateway=who,
        wording=Wording(
            opening=settings.refusal.opening,
            organization_message=settings.refusal.organization_message,
            request_url=settings.refusal.request_url,
        ),
        masking=_masking(settings, handed.digest_key),
        looks=looks_of(settings),
        result_bytes=settings.limits.result_bytes,
        arguments_bytes=settings.limits.arguments_bytes,
        several_issuers=len(settings.identity.issuers) > 1,
        turns=HeavyTurns(caller_of=calls.policy.caller),
    )


def counters_of(handed: WorkerContext) -> CounterPage:
    """Return the counters that the workers share, or local ones if the supervisor has created none."""
    return alone() if handed.counters is None else attached(handed.counters, handed.worker)


def looks_of(settings: Settings) -> DiscoveryLimits:
    """Return the limits of the gateway's own reading of a server's list."""
    definitions = settings.definitions
    return DiscoveryLimits(
        timeout_s=definitions.list_timeout_s,
        total_bytes=definitions.list_bytes,
        pages=definitions.list_pages,
        per_caller=definitions.lists_per_caller,
    )


def _masking(settings: Settings, key: bytes) -> Masking:
    journal = settings.journal
    return Masking(
        level=journal.masking,
        key=key,
        kept=in_arguments(journal.keep_arguments),
        reads=journal.keep_read,
        seal=sealer_of(settings),
    )


def sealer_of(settings: Settings) -> Seal | None:
    """Return the encryption of arguments to the auditor's key; null if none is set. An invalid key was refused."""
    to = recipients(settings.journal.auditor_key) if settings.journal.auditor_key else None
    return partial(encrypted, to=to) if isinstance(to, Recipients) else None


def streams_of(settings: Settings, parts: Dependencies) -> Streams:
    """Return the registry of open streams."""
    limits = settings.limits
    allowed = StreamLimits(per_principal=limits.streams_per_principal, total=limits.streams)
    return Streams(allowed, parts.turns.caller_of)


def limits_of(settings: Settings) -> EndpointLimits:
    """Return the limits of messages."""
    limits = settings.limits
    return EndpointLimits(
        body_bytes=limits.body_bytes,
        message=MessageLimits(size=limits.body_bytes, depth=limits.depth, keys=limits.keys, values=limits.values),
        relay=RelayLimits(result_bytes=limits.result_bytes, keep_alive_s=limits.keep_alive_s),
        caller=CallerLimits(requests=limits.exchanges_per_principal, body_bytes=limits.bytes_per_principal),
        shown=tuple(name.lower() for name in settings.headers),
    )
