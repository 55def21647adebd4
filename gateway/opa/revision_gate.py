"""Gate of revisions: enforce only policy that is not older than before, fits this gateway and has not expired.

Rule 1: before the first decision of a revision counts, its manifest is read from OPA itself, independent of the source.
Rule 2: the expiry of an accepted policy is checked again for every decision: an expired policy decides nothing.
Rule 3: if stops are followed, a decision without them does not count: a missing document is not an empty one.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

import msgspec
from msgspec import Struct

from gateway.admission.decision import PolicyFailure, standing_of
from gateway.opa.answer import EMERGENCY, unavailable
from gateway.opa.revision import Highwater, Ratchet, read_revision
from gateway.opa.transport import Broken, Transport

MANIFEST: Final = "/v1/data/system/bundles/policy/manifest"
_OK: Final = 200


class Fit(Struct, frozen=True, kw_only=True):
    """A policy that may be enforced until it expires."""

    revision: str
    not_after: str = ""
    """The expiry as the manifest states it; empty if it never expires."""
    ends_ns: int | None = None
    """The last moment at which it may be enforced, grace included."""
    library_problem: str = ""
    """Weakness of the policy's stock library compared with this gateway's; empty if none is known."""


class ManifestCheck(Protocol):
    """Check of a manifest: whether the policy was made for this gateway."""

    def judged(self, manifest: bytes) -> Fit | PolicyFailure: ...


class _Told(Struct):
    result: msgspec.Raw = msgspec.Raw()


class RevisionGate:
    """The gate of one worker's decisions."""

    def __init__(self, highwater: Highwater, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._policy = Ratchet(highwater)
        self._stops = Ratchet(highwater)
        self._wall_ns = wall_ns
        self._fit: Fit | None = None
        self._examining = asyncio.Lock()
        self.terms: ManifestCheck | None = None
        """The check of manifests; None skips it."""
        self.stops_expected = False
        """True if OPA is managed and always follows the stops."""

    @property
    def revision(self) -> str:
        """The policy revision that was enforced last, empty before the first."""
        return self._policy.current

    @property
    def emergency(self) -> str:
        """The revision of the stops that were enforced last, empty if there are none."""
        return self._stops.current

    @property
    def standing(self) -> str:
        """The revisions of the policy and of the stops."""
        return standing_of(self.revision, self.emergency)

    @property
    def not_after(self) -> str:
        """The expiry of the enforced policy as its manifest states it; empty if unknown or never."""
        return self._fit.not_after if self._fit is not None and self._fit.revision == self.revision else ""

    @property
    def library_problem(self) -> str:
        """Weakness of the enforced policy's stock library compared with this gateway's; empty if none is known."""
        return self._fit.library_problem if self._fit is not None and self._fit.revision == self.revision else ""

    def already_enforced(self, policy: str, stops: str) -> bool:
        """Return whether both revisions are already enforced and the policy has not expired.

        If not, the decision may still be enforceable: call `refusal`.
        """
        if not policy or not stops or policy != self._policy.current or stops != self._stops.current:
            return False
        return self.terms is None or (
            self._fit is not None and self._fit.revision == policy and not self._ended(self._fit)
        )

    async def refusal(self, policy: str, stops: str, exchange: Transport) -> PolicyFailure | None:
        """Return why a decision by these revisions may not be enforced; None if it may, from now on."""
        unfit = await self._unfit(policy, exchange)
        if unfit is not None:
            return unfit
        try:
            return self._undercut(policy) or self._unstopped(policy, stops)
        except OSError as error:
            return unavailable(f"the highest policy revision cannot be stored: {error.strerror or error}")

    async def _unfit(self, policy: str, exchange: Transport) -> PolicyFailure | None:
        if self.terms is None:
            return None
        fit = self._fit
        if fit is None or fit.revision != policy:
            async with self._examining:
                fit = self._fit
                if fit is None or fit.revision != policy:
                    examined = await _examined(policy, exchange, self.terms)
                    if isinstance(examined, PolicyFailure):
                        return examined
                    fit = examined
        if self._ended(fit):
            return PolicyFailure(code="policy_expired", detail=f"{policy} ended at {fit.not_after}", revision=policy)
        self._fit = fit
        return None

    def _ended(self, fit: Fit) -> bool:
        return fit.ends_ns is not None and self._wall_ns() > fit.ends_ns

    def _undercut(self, text: str) -> PolicyFailure | None:
        revision = read_revision(text)
        if revision is None:
            return unavailable(f"OPA's answer has no usable policy revision: {text!r}")
        if self._policy.turn(text, revision):
            return None
        detail = f"OPA decided with {text}, but {self._policy.current or 'a later revision'} was enforced before"
        return PolicyFailure(code="policy_regressed", detail=detail, revision=text)

    def _unstopped(self, policy: str, text: str) -> PolicyFailure | None:
        """Return why decisions by these stops may not be enforced."""
        if not text:
            return self._without_stops(policy)
        if text == self._stops.current:
            return None
        revision = read_revision(text)
        if revision is None or revision.environment != EMERGENCY:
            return unavailable(f"OPA's answer has no usable revision of the stops: {text!r}")
        if self._stops.turn(text, revision):
            return None
        detail = f"OPA decided with the stops {text}, but {self._stops.current or 'later stops'} were enforced before"
        return PolicyFailure(code="policy_regressed", detail=detail, revision=policy)

    def _without_stops(self, policy: str) -> PolicyFailure | None:
        if self.stops_expected:
            return unavailable("OPA has no document of stops yet")
        if not self._stops.highest(EMERGENCY):
            return None
        detail = (
            "OPA decided without the bundle `emergency`, but stops were enforced here before: make OPA follow it again"
        )
        return PolicyFailure(code="policy_regressed", detail=detail, revision=policy)


async def _examined(policy: str, exchange: Transport, terms: ManifestCheck) -> Fit | PolicyFailure:
    """Return the check of the manifest that OPA itself serves."""
    told = await exchange.exchange(MANIFEST)
    if isinstance(told, Broken):
        return unavailable(told.detail)
    if told.status != _OK:
        return unavailable(f"OPA returned HTTP {told.status} for its manifest: allow GET {MANIFEST}")
    try:
        manifest: Any = bytes(msgspec.json.decode(told.body, type=_Told).result)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return unavailable("OPA's response for its manifest is not JSON")
    fit = terms.judged(manifest)
    if isinstance(fit, Fit) and fit.revision != policy:
        detail = f"OPA decided with {policy}, but has {fit.revision} by now"
        return PolicyFailure(code="policy_regressed", detail=detail, revision=policy)
    return fit
