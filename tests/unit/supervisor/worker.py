"""A worker with a minimal application instead of the gateway's."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from typing import Any

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.opa.process import ReportEvent
from gateway.opa.readiness_report import Readiness
from gateway.protocol.ownership_exchange import Claim, Held
from gateway.settings import Settings
from gateway.supervisor.control_channel import Start
from gateway.supervisor.worker_main import main


def _nobody(number: int, claim: Claim) -> None:
    raise AssertionError(f"nothing listens to claim {number} {claim}")


class Fake:
    """Responds with its start parameters; `/slow` responds late, `/endless` never."""

    def __init__(self, settings: Settings, start: Start, report: ReportEvent) -> None:
        self._report = report
        self._settings = settings
        self._start = start
        self._drained = False
        self._calls = 0
        self._claim: Callable[[int, Claim], None] = _nobody

    @property
    def asgi(self) -> "Fake":
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._calls += 1
        self._report("call_began")
        if scope["path"] == "/slow":
            await asyncio.sleep(0.5)  # noqa: TID251 - a call that takes half a second
        if scope["path"] == "/crash":
            self._calls //= 0
        if scope["path"] == "/claim":
            self._claim(self._calls, Claim(kind="task", server="s", principal="p", names=("0", "1", "2", "none")))
        if scope["path"] == "/endless":
            await asyncio.Event().wait()
        told = {
            "pid": os.getpid(),
            "worker": self._start.worker,
            "opa": self._start.opa_socket,
            "keys": [len(key) for key in (*self._start.sealing_keys, self._start.digest_key)],
            "port": self._settings.listen.port,
            "environment": dict(os.environ),
            "drained": self._drained,
        }
        body = msgspec.json.encode(told)
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def readiness(self) -> Readiness:
        return Readiness(missing=("journal",) if "UNREADY" in os.environ else (), revision="dev@aaaaaaaaaaaa.1")

    def samples(self) -> Any:
        return [["calls", self._calls]]

    def beat(self) -> None:
        self._report("beaten")

    def confirmed(self, unix_ns: int, revision: str) -> None:
        self._report("confirmed", unix_ns=unix_ns, revision=revision)

    def on_revision(self, listener: Callable[[str, str], None]) -> None:
        listener("dev@aaaaaaaaaaaa.1", "emergency@bbbbbbbbbbbb.2")

    def on_claim(self, listener: Callable[[int, Claim], None]) -> None:
        self._claim = listener

    def held(self, claim: Claim) -> Held:
        """Hold the name that is this worker's number."""
        return Held(texts=tuple("held" if name == str(self._start.worker) else "" for name in claim.names))

    def answered(self, number: int, held: Held | None) -> None:
        texts = "unanswered" if held is None else ",".join(held.texts)
        self._report("claim_answered", number=number, texts=texts)

    def drain(self) -> None:
        self._drained = True


@contextlib.asynccontextmanager
async def application(settings: Settings, start: Start, report: ReportEvent) -> AsyncGenerator[Fake]:
    if "BROKEN" in os.environ:
        raise SystemExit(3)
    report("application_started", number=start.worker)
    yield Fake(settings, start, report)


if __name__ == "__main__":
    main(application)
