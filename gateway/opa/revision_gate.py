"""Which revisions may be enforced: not older than what was enforced before, and made for this gateway, here and now.

Rule 1: the policy's manifest is read from OPA itself, whoever fed it, before the first decision of a revision counts.
Rule 2: what was fit once is judged again by time: a policy past its end decides nothing.
Rule 3: where stops are followed, no decision without them counts: a missing document is not an empty one.
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
    """A policy that may be enforced, until it ends."""

    revision: str
    not_after: str = ""
    """As its manifest writes it; empty where it never ends."""
    ends_ns: int | None = None
    """The last moment at which it may be enforced, grace included."""
    library_problem: str = ""
    """What its stock library does worse than this gateway's; empty if nothing is known."""


class ManifestCheck(Protocol):
    """Judges a manifest: what the policy was made for against what this gateway is."""

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
        """What manifests are held against; none: not looked at."""
        self.stops_expected = False
        """True where OPA is ours and always follows the stops."""

    @property
    def revision(self) -> str:
        """The policy that was enforced last, empty before the first."""
        return self._policy.current

    @property
    def emergency(self) -> str:
        """The stops that were enforced last, empty where there are none."""
        return self._stops.current

    @property
    def standing(self) -> str:
        """Both."""
        return standing_of(self.revision, self.emergency)

    @property
    def not_after(self) -> str:
        """When the policy in force ends, as its manifest writes it; empty where that is not known, or never."""
        return self._fit.not_after if self._fit is not None and self._fit.revision == self.revision else ""

    @property
    def library_problem(self) -> str:
        """What the stock library of the policy in force does worse than this gateway's; empty if nothing is known."""
        return self._fit.library_problem if self._fit is not None and self._fit.revision == self.revision else ""

    def already_enforced(self, policy: str, stops: str) -> bool:
        """Return whether both revisions are enforced already and the policy has not ended.

        If not, the decision may still be enforceable: ask `refusal`.
        """
        if not policy or not stops or policy != self._policy.current or stops != self._stops.current:
            return False
        return self.terms is None or (
            self._fit is not None and self._fit.revision == policy and not self._ended(self._fit)
        )

    async def refusal(self, policy: str, stops: str, exchange: Transport) -> PolicyFailure | None:
        """Return why a decision by these revisions may not be enforced; None where it may, from now on."""
        unfit = await self._unfit(policy, exchange)
        if unfit is not None:
            return unfit
        try:
            return self._undercut(policy) or self._unstopped(policy, stops)
        except OSError as error:
            return unavailable(f"the highest policy revision cannot be kept: {error.strerror or error}")

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
            return unavailable(f"OPA's answer names no usable policy revision: {text!r}")
        if self._policy.turn(text, revision):
            return None
        detail = f"OPA decided by {text}, but {self._policy.current or 'a later one'} was already enforced"
        return PolicyFailure(code="policy_regressed", detail=detail, revision=text)

    def _unstopped(self, policy: str, text: str) -> PolicyFailure | None:
        """Return why these stops may not be the ones to decide by."""
        if not text:
            return self._without_stops(policy)
        if text == self._stops.current:
            return None
        revision = read_revision(text)
        if revision is None or revision.environment != EMERGENCY:
            return unavailable(f"OPA's answer names no usable revision of the stops: {text!r}")
        if self._stops.turn(text, revision):
            return None
        detail = f"OPA decided by the stops {text}, but {self._stops.current or 'later ones'} were already enforced"
        return PolicyFailure(code="policy_regressed", detail=detail, revision=policy)

    def _without_stops(self, policy: str) -> PolicyFailure | None:
        if self.stops_expected:
            return unavailable("OPA has no document of stops yet")
        if not self._stops.highest(EMERGENCY):
            return None
        detail = (
            "OPA decided without the bundle `emergency`, but stops were enforced here before: let it follow them again"
        )
        return PolicyFailure(code="policy_regressed", detail=detail, revision=policy)


async def _examined(policy: str, exchange: Transport, terms: ManifestCheck) -> Fit | PolicyFailure:
    """Return what OPA's own manifest says of the policy, held against the terms."""
    told = await exchange.exchange(MANIFEST)
    if isinstance(told, Broken):
        return unavailable(told.detail)
    if told.status != _OK:
        return unavailable(f"OPA answered HTTP {told.status} where its manifest is: let it show GET {MANIFEST}")
    try:
        manifest: Any = bytes(msgspec.json.decode(told.body, type=_Told).result)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return unavailable("OPA's answer about its manifest is not JSON")
    fit = terms.judged(manifest)
    if isinstance(fit, Fit) and fit.revision != policy:
        detail = f"OPA decided by {policy}, and has {fit.revision} by now"
        return PolicyFailure(code="policy_regressed", detail=detail, revision=policy)
    return fit
