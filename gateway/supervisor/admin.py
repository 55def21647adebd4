"""The admin listener: `/livez`, `/readyz`, `/metrics`.

Rule 1: ready means that every worker, OPA and a policy bundle are ready. Otherwise the response says what is missing.
Rule 2: each request queries the workers, with a deadline. A worker that does not answer is not ready.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.opa.readiness_report import Readiness

JSON: Final = "application/json"
METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_OK: Final = 200
_NOT_FOUND: Final = 404
_WRONG_METHOD: Final = 405
_UNREADY: Final = 503


class QueryableWorker(Protocol):
    """A worker that can be queried."""

    async def readiness(self) -> Readiness: ...
    async def samples(self) -> bytes | None: ...


class SupervisorHealth(Protocol):
    """The supervisor's own part of readiness: missing conditions, and notes about the policy."""

    def missing(self) -> Mapping[str, str]: ...
    def notes(self) -> Mapping[str, str]: ...


Render = Callable[[Sequence[bytes]], bytes]
"""Sums the workers' samples and formats them as Prometheus text."""


class AdminApp:
    """The ASGI application of the admin listener."""

    def __init__(self, workers: Sequence[QueryableWorker], condition: SupervisorHealth, render: Render) -> None:
        self._workers = workers
        self._condition = condition
        self._render = render
        self._answers: Final[Mapping[str, Callable[[], Awaitable[tuple[int, str, bytes]]]]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/metrics": self._metrics,
        }

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        answer = self._answers.get(scope["path"])
        if answer is None:
            status, media, body = _NOT_FOUND, JSON, b'{"error":"unknown path: use /livez, /readyz or /metrics"}'
        elif scope["method"] not in {"GET", "HEAD"}:
            status, media, body = _WRONG_METHOD, JSON, b'{"error":"use GET or HEAD"}'
        else:
            status, media, body = await answer()
        headers = [(b"content-type", media.encode()), (b"content-length", str(len(body)).encode())]
        headers.append((b"cache-control", b"no-store"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _livez(self) -> tuple[int, str, bytes]:
        return _OK, JSON, b'{"live":true}'

    async def _readyz(self) -> tuple[int, str, bytes]:
        found = await asyncio.gather(*(worker.readiness() for worker in self._workers))
        workers = [_told(readiness) for readiness in found]
        missing = dict(self._condition.missing())
        missing |= {f"worker {number}": ", ".join(one.missing) for number, one in enumerate(found) if one.missing}
        body: dict[str, Any] = {"ready": not missing, "missing": missing, "workers": workers}
        body |= self._condition.notes()
        return (_UNREADY if missing else _OK), JSON, msgspec.json.encode(body)

    async def _metrics(self) -> tuple[int, str, bytes]:
        samples = await asyncio.gather(*(worker.samples() for worker in self._workers))
        return _OK, METRICS, self._render([one for one in samples if one is not None])


def _told(readiness: Readiness) -> dict[str, Any]:
    return {
        "ready": not readiness.missing,
        "revision": readiness.revision,
        "emergency": readiness.emergency,
        "not_after": readiness.not_after,
        "policy_age_s": round(readiness.policy_age_s, 1),
        "staleness": readiness.staleness,
        "problem": readiness.problem,
        "library_problem": readiness.library_problem,
        "observe": readiness.observe,
    }
