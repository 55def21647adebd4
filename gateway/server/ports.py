"""The ports of the HTTP edge in addition to the pipeline: verification of callers, and counters."""

from collections.abc import Iterable
from typing import Protocol

from msgspec import Struct

from gateway.admission.principal import Verified
from gateway.admission.refused_definition import RefusedDefinition


class UnverifiedCaller(Struct, frozen=True, kw_only=True):
    """A caller that is not admitted: status 400, 401, 403 or 503, and the matching challenge."""

    cause: str
    reason: str
    status: int
    challenge: str = ""
    recorded: bool = True
    """False if the journal already has an equal refusal of the same second, which counts this one."""


class CredentialVerifier(Protocol):
    """Verifies credentials."""

    async def verify(
        self, headers: Iterable[tuple[bytes, bytes]], *, server: str, query: bytes, source_ip: str
    ) -> Verified | UnverifiedCaller: ...

    def unknown(self, server: str, *, source_ip: str) -> UnverifiedCaller: ...


class Meters(Protocol):
    """Counters of the edge. Names come from closed sets."""

    def decided(
        self, *, outcome: str, requirement: str, policy_micros: int, added_micros: int, server: str = ""
    ) -> None: ...
    def upstream(self, outcome: str) -> None: ...
    def withheld(self, server: str, count: int) -> None: ...
    def changed_instructions(self, removed: RefusedDefinition) -> None: ...
    def malformed(self, fault: str) -> None: ...
    def refused(self, code: str, *, detail: str, server: str = "") -> None: ...
    def unchecked(self, server: str) -> None: ...
    def drifted(self, refused: RefusedDefinition) -> None: ...
    def streams(self, count: int) -> None: ...
