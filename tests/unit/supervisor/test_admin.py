"""The admin listener: liveness, readiness and metrics."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from gateway.opa.readiness_report import Readiness
from gateway.supervisor.admin import AdminApp


class Worker:
    def __init__(self, *missing: str, samples: bytes | None = b"s") -> None:
        self._missing = missing
        self._samples = samples

    async def readiness(self) -> Readiness:
        return Readiness(missing=self._missing, revision="dev@aaaaaaaaaaaa.1", observe=True)

    async def samples(self) -> bytes | None:
        return self._samples


class Well:
    def __init__(self, **missing: str) -> None:
        self._missing = missing

    def missing(self) -> Mapping[str, str]:
        return self._missing

    def notes(self) -> Mapping[str, str]:
        return {"policy_problem": "rules/x.yaml:3: no"}


def render(samples: Sequence[bytes]) -> bytes:
    return b"+".join(samples)


async def answer(admin: AdminApp, path: str, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing of the request is needed")

    await admin({"type": "http", "path": path, "method": method}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


async def test_livez_is_ok_even_if_conditions_are_missing() -> None:
    status, _, body = await answer(AdminApp([Worker("opa")], Well(opa="gone"), render), "/livez")
    assert (status, body) == (200, b'{"live":true}')


async def test_ready_means_that_every_worker_and_everything_else_is() -> None:
    status, _, body = await answer(AdminApp([Worker(), Worker()], Well(), render), "/readyz")
    told = msgspec.json.decode(body)
    assert (status, told["ready"], told["missing"]) == (200, True, {})
    assert [worker["revision"] for worker in told["workers"]] == ["dev@aaaaaaaaaaaa.1"] * 2
    assert told["workers"][0]["observe"] is True
    assert told["policy_problem"] == "rules/x.yaml:3: no"


@pytest.mark.parametrize(
    ("workers", "condition", "missing"),
    [
        ([Worker(), Worker("opa", "journal")], Well(), {"worker 1": "opa, journal"}),
        ([Worker()], Well(opa="it is not running"), {"opa": "it is not running"}),
    ],
)
async def test_an_unready_gateway_lists_missing_conditions(
    workers: list[Worker], condition: Well, missing: dict[str, str]
) -> None:
    status, _, body = await answer(AdminApp(workers, condition, render), "/readyz")
    told = msgspec.json.decode(body)
    assert (status, told["ready"], told["missing"]) == (503, False, missing)


async def test_metrics_leave_out_workers_that_do_not_answer() -> None:
    admin = AdminApp([Worker(samples=b"a"), Worker(samples=None), Worker(samples=b"c")], Well(), render)
    status, headers, body = await answer(admin, "/metrics")
    assert (status, body) == (200, b"a+c")
    assert headers[b"content-type"].startswith(b"text/plain; version=0.0.4")


async def test_head_has_the_headers_and_no_body() -> None:
    status, headers, body = await answer(AdminApp([Worker()], Well(), render), "/livez", "HEAD")
    assert (status, headers[b"content-length"], body) == (200, b"13", b"")


@pytest.mark.parametrize(
    ("path", "method", "status"), [("/", "GET", 404), ("/livez/", "GET", 404), ("/livez", "POST", 405)]
)
async def test_there_is_nothing_else(path: str, method: str, status: int) -> None:
    assert (await answer(AdminApp([Worker()], Well(), render), path, method))[0] == status
