"""A gateway that follows a hub, with a server behind it, and bundles of every kind for that hub to serve.

Rule 1: the policy is a real one, built once; what differs between bundles is what a fault needs.
"""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from msgspec import Struct

from gateway.artifact.pack import Packed
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.artifact.stops_bundle import Stop, emergency_bundle
from tests.faults.behind import Behind, Counterpart, counterpart, entry
from tests.faults.wire import Line
from tests.policies import compiled, packed
from tests.running import running, until
from tests.servers.stub_hub import TOKEN, StubHub

ENVIRONMENT: Final = "test"
KEY: Final = ephemeral_key()
STOP_KEY: Final = ephemeral_key()


class Policy(Struct, frozen=True):
    """A policy that allows everything on one server."""

    files: Mapping[str, bytes]

    def bundle(self, seq: int, key: SigningKey | None = KEY, **metadata: Any) -> Packed:
        """The policy under a number, signed where there is a key."""
        return packed(self.files, seq, key, **{"environment": ENVIRONMENT, **metadata})


def built(directory: Path, server: Counterpart, files: Mapping[str, Mapping[str, Any]] | None = None) -> Policy:
    """The policy that allows everything on this server; `files` are more files of its environment."""
    return Policy(compiled(directory, {"s": entry(server.url)}, ENVIRONMENT, files))


def stops(*kinds_and_names: tuple[Any, str], seq: int | None = None, seconds: float = 600) -> bytes:
    """A hub's document that stops these things."""
    now = time.time_ns()
    standing = [
        Stop(
            id=f"hub-{number}",
            kind=kind,
            name=name,
            until_unix_ns=now + int(seconds * 1e9),
            because="It went rogue.",
            by="alice@example.com",
            at="2026-11-28T12:00:00Z",
        )
        for number, (kind, name) in enumerate(kinds_and_names)
    ]
    return emergency_bundle(standing, now // 1_000_000 if seq is None else seq, STOP_KEY).content


class Stage(Struct):
    """What a test has in hand."""

    behind: Behind
    hubs: Sequence[StubHub]
    policy: Policy

    @property
    def hub(self) -> StubHub:
        return self.hubs[0]

    async def enforced(self, revision: str) -> None:
        """Wait until all workers are ready and enforce a revision."""
        told: dict[str, Any] = {}

        async def found() -> bool | None:
            told.update(await self.behind.gateway.readiness())
            revisions = {worker["revision"] for worker in told.get("workers", ())}
            return True if told.get("ready") and revisions == {revision} else None

        await until(found, lambda: f"{revision} is not enforced: {told}")

    async def noted(self, event: str, **fields: str) -> dict[str, Any]:
        """Wait until the journal has a policy record of an event, and return the last."""

        async def found() -> dict[str, Any] | None:
            records = [one for one in self.behind.gateway.records("policy") if one["event"] == event]
            fit = [one for one in records if all(one.get(name) == value for name, value in fields.items())]
            return fit[-1] if fit else None

        return dict(await until(found, lambda: f"{event} {fields} is not in the journal: {self._events()}"))

    def _events(self) -> list[str]:
        return [f"{one['event']} {one.get('code', '')}" for one in self.behind.gateway.records("policy")]

    async def calls(self, reason: str = "") -> None:
        """Wait until a call is answered like this: refused for a reason, or allowed where there is none."""
        last = ""

        async def found() -> bool | None:
            nonlocal last
            got = await self.behind.line.called()
            last = got.reason
            refused = "isError" in got.message.get("result", {"isError": True})
            return True if last == reason and refused == bool(reason) else None

        await until(found, lambda: f"calls are answered {last!r}, not {reason!r}")

    async def metric(self, name: str) -> float:
        """The value of a metric now, 0 where it has none."""
        async with httpx.AsyncClient() as client:
            text = (await client.get(f"{self.behind.gateway.admin}/metrics", timeout=10)).text
        return next((float(line.split()[-1]) for line in text.splitlines() if line.startswith(name)), 0.0)


def settings(directory: Path, hubs: Sequence[StubHub], **bundle: Any) -> dict[str, Any]:
    """The settings of a gateway that follows these hubs."""
    files = {"key.pem": KEY.public_pem, "stops.pem": STOP_KEY.public_pem, "token": TOKEN}
    for name, text in files.items():
        (directory / name).write_text(text, encoding="ascii")
    service = {
        "urls": [hub.url for hub in hubs],
        "token_file": str(directory / "token"),
        "keys": [{"file": str(directory / "key.pem")}],
        **bundle,
    }
    policy = {"directory": str(directory / "policy"), "environment": ENVIRONMENT, "bundle": service}
    return {"policy": policy, "opa": {"deadline_ms": 2_000}, "labels": {"region": "eu"}, "id": "gateway-1"}


@asynccontextmanager
async def followed(
    directory: Path, hubs: Sequence[StubHub], policy: Policy, server: Counterpart, **more: Any
) -> AsyncGenerator[Stage]:
    """Run a gateway that follows these hubs; `bundle` is merged into their settings, all else is of `running`."""
    wanted = settings(directory, hubs, **more.pop("bundle", {})) | more.pop("settings", {})
    async with running(directory, servers={"s": entry(server.url)}, settings=wanted, **more) as gateway:
        yield Stage(Behind(gateway, server, Line(gateway.url("s"))), hubs, policy)


__all__ = ["KEY", "STOP_KEY", "Policy", "Stage", "built", "counterpart", "followed", "settings", "stops"]
