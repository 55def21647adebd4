"""Readiness probe of OPA: send a query with a known answer every second.

Rule 1: ready means that a real decision came back as expected: well-formed, a denial, of a known revision.
Rule 2: policy that was not confirmed for longer than the hard limit decides nothing any more (OPA.md section 7). If the
gateway itself follows the bundles, only its follower confirms a policy, and only the enforced one: an OPA that reaches
the loopback endpoint has confirmed nothing.
Rule 3: an unknown state counts as the worse case.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import Struct

from gateway.admission.decision import PolicyFailure, Verdict
from gateway.admission.policy_input import (
    AskedMessage,
    Client,
    Context,
    Gateway,
    PolicyInput,
    Server,
    Target,
)
from gateway.admission.principal import ANONYMOUS
from gateway.admission.question import moment
from gateway.opa.client import OpaClient
from gateway.opa.opa_status import BundleStatus, OpaStatus
from gateway.opa.readiness_report import Readiness, Staleness
from gateway.pipeline.loop_deadlines import WaitBudget

BEAT: Final = 1.0
"""Seconds between two probes."""
STATUS_EVERY: Final = 10
"""Probes between two reads of OPA's status, a document of about 80 KB."""
PATIENCE: Final = 2.0
"""Seconds that health and status together may take."""

NOWHERE: Final = "-"
"""A server that no catalog can list: server ids begin with a letter or digit."""


class StalenessLimits(Struct, frozen=True, kw_only=True):
    """Seconds since the policy was last confirmed; None means never stale."""

    soft_s: float | None = 43200
    hard_s: float | None = 86400
    followed: bool = False
    """True if the gateway's follower confirms the policy; otherwise OPA's status does."""


def canary(unix_ns: int, gateway: Gateway) -> PolicyInput:
    """Return the canary query: an anonymous call to a nonexistent server, which must be denied."""
    return PolicyInput(
        phase="request",
        message=AskedMessage(method="tools/call", kind="request", revision="2025-11-25", era="legacy"),
        principal=ANONYMOUS,
        client=Client(),
        server=Server(id=NOWHERE),
        target=Target(type="tool", name=NOWHERE),
        context=Context(time=moment(unix_ns), source_ip="127.0.0.1", gateway=gateway),
    )


class ReadinessProbe:
    """Probe OPA periodically and block decisions while its policy is stale; one probe per worker."""

    def __init__(
        self,
        client: OpaClient,
        vitals: OpaStatus,
        *,
        gateway: Gateway,
        limits: StalenessLimits | None = None,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._client = client
        self._vitals = vitals
        self._gateway = gateway
        self._limits = limits or StalenessLimits()
        self._wall_ns = wall_ns
        self._beats = 0
        self._confirmed_ns = wall_ns()
        self._word = (0, "")
        self._problem = ""
        self._woken = asyncio.Event()
        self.readiness = Readiness(missing=("opa",))

    async def run(self) -> None:
        """Probe until canceled."""
        while True:
            await self.beat()
            with contextlib.suppress(TimeoutError):  # `wait_for` loses a cancellation that comes with the event
                async with asyncio.timeout(BEAT):
                    await self._woken.wait()
            self._woken.clear()

    def wake(self) -> None:
        """Probe now, because there may be another revision to enforce."""
        self._woken.set()

    def confirmed(self, unix_ns: int, revision: str) -> None:
        """Record when the follower confirmed `revision` as current."""
        self._word = (unix_ns, revision)

    async def beat(self) -> Readiness:
        """Probe once and return the result."""
        verdict = await self._client.probe(canary(self._wall_ns(), self._gateway))
        missing = _missing(verdict)
        try:
            async with WaitBudget(PATIENCE):
                missing += await self._examine()
        except TimeoutError:
            missing += ("opa_health",)
        self.readiness = self._judged(verdict, missing)
        self._beats += 1
        return self.readiness

    async def _examine(self) -> tuple[str, ...]:
        if self._beats % STATUS_EVERY == 0 or self.readiness.missing:
            self._confirm(await self._vitals.status())
        return () if await self._vitals.healthy() else ("bundle",)

    def _confirm(self, status: BundleStatus | None) -> None:
        if status is None:
            return
        self._problem = f"{status.code}: {status.message}".strip(": ")
        reached = _unix_ns(status.last_successful_request)
        if reached is not None and not self._limits.followed:
            self._confirmed_ns = min(reached, self._wall_ns())  # a clock that is ahead does not keep policy fresh

    def _judged(self, verdict: Verdict | PolicyFailure, missing: tuple[str, ...]) -> Readiness:
        unix_ns, revision = self._word
        if unix_ns and revision == self._client.revision:
            self._confirmed_ns = min(unix_ns, self._wall_ns())
        age_s = max(0.0, (self._wall_ns() - self._confirmed_ns) / 1e9)
        staleness = _staleness(age_s, self._limits)
        stale = staleness == "hard"
        detail = f"the bundle service has not confirmed the policy for {age_s:.0f} s"
        self._client.refuse(PolicyFailure(code="policy_stale", detail=detail) if stale else None)
        return Readiness(
            missing=(*missing, "fresh_policy") if stale else missing,
            revision=self._client.revision,
            emergency=self._client.enforceable.emergency,
            not_after=self._client.enforceable.not_after,
            policy_age_s=age_s,
            staleness=staleness,
            problem=self._problem,
            library_problem=self._client.enforceable.library_problem,
            observe=isinstance(verdict, Verdict) and verdict.decision.observe,
        )


def _missing(verdict: Verdict | PolicyFailure) -> tuple[str, ...]:
    if isinstance(verdict, PolicyFailure):
        return (f"decision ({verdict.code}: {verdict.detail})",)
    if verdict.decision.outcome != "deny":
        return (f"denial (a call to a nonexistent server was answered with {verdict.decision.outcome})",)
    return ()


def _staleness(age_s: float, limits: StalenessLimits) -> Staleness:
    if limits.hard_s is not None and age_s > limits.hard_s:
        return "hard"
    return "soft" if limits.soft_s is not None and age_s > limits.soft_s else "fresh"


def _unix_ns(rfc3339: str) -> int | None:
    """Return the moment of a Go timestamp, or None for Go's zero time and for text that is not a time."""
    try:
        instant = datetime.fromisoformat(rfc3339)
    except ValueError:
        return None
    return int(instant.timestamp() * 1e9) if instant.tzinfo is not None and instant.year > 1 else None
