"""The hub's HTTP interface as one table: path, method, required roles, and the function that handles the call.

Rule 1: a path outside the table does not exist. `/livez`, `/readyz` and `/metrics` reveal no names and need no token.
"""

import time
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.artifact.artifact import MOST_BYTES
from gateway.hub.bearer_tokens import Role
from gateway.hub.channels import Channels
from gateway.hub.concurrency import DOWNLOADS, LOOKS, ConcurrencyLimits
from gateway.hub.endpoint import JSON, SMALL, EndpointBounds, Guard, HubEndpoint, HubRefusal, Perform
from gateway.hub.fleet import Fleet
from gateway.hub.metrics import rendered
from gateway.hub.routes_artifacts import ArtifactRoutes
from gateway.hub.routes_bundles import BundleRoutes
from gateway.hub.routes_heartbeats import HeartbeatRoutes
from gateway.hub.routes_stops import StopRoutes
from gateway.hub.stop_store import StopStore

METRICS: Final = "text/plain; version=0.0.4; charset=utf-8"
_Row = tuple[str, str, tuple[Role, ...], Perform, EndpointBounds]


class Hub(Struct, frozen=True, kw_only=True):
    """The components of a running hub."""

    guard: Guard
    channels: Channels
    fleet: Fleet
    emergency: StopStore | None
    polling: BundleRoutes
    publishing: ArtifactRoutes
    reporting: HeartbeatRoutes
    responding: StopRoutes


def table(hub: Hub) -> Sequence[_Row]:
    """Return each entry of the interface except bundles, health and metrics."""
    publishing, reporting, responding = hub.publishing, hub.reporting, hub.responding
    small, looks = EndpointBounds(SMALL), EndpointBounds(seats=ConcurrencyLimits(LOOKS))
    people: tuple[Role, ...] = ("reader", "publisher")
    return (
        ("POST", "/v1/artefacts", ("publisher",), publishing.upload, EndpointBounds(MOST_BYTES)),
        (
            "GET",
            "/v1/artefacts/{digest}",
            people,
            publishing.artifact,
            EndpointBounds(seats=ConcurrencyLimits(DOWNLOADS)),
        ),
        ("GET", "/v1/channels", people, publishing.channels, looks),
        ("PUT", "/v1/channels/{name}", ("publisher",), publishing.point, small),
        ("GET", "/v1/history", people, publishing.history, looks),
        ("GET", "/v1/assignments", people, publishing.assignments, looks),
        ("PUT", "/v1/assignments", ("publisher",), publishing.assign, small),
        ("POST", "/v1/heartbeats", ("gateway",), reporting.hear, small),
        ("GET", "/v1/rollouts/{revision}", (*people, "responder"), reporting.rollout, looks),
        ("POST", "/v1/stops", ("responder",), responding.stop, small),
        ("GET", "/v1/stops", ("responder", "reader"), responding.stops, looks),
        ("DELETE", "/v1/stops/{id}", ("responder",), responding.lift, small),
    )


def application(hub: Hub) -> Starlette:
    """Return the ASGI application."""
    rows = [
        Route(path, HubEndpoint(hub.guard, roles, perform, bounds), methods=[method])
        for method, path, roles, perform, bounds in table(hub)
    ]
    bundles = Route("/bundles/{channel}.tar.gz", hub.polling, methods=["GET"])
    return Starlette(
        routes=[bundles, *rows, *_health(hub)],
        exception_handlers={HTTPException: _absent},
    )


def _health(hub: Hub) -> list[Route]:
    async def livez(_request: Request) -> Response:
        return Response(b'{"live":true}', media_type=JSON)

    async def readyz(_request: Request) -> Response:
        failing = hub.guard.counts.storage_failing
        body = {"ready": True, "channels": len(hub.channels.all)}
        notes = {"storage": "the last write failed; earlier published bundles are still served"} if failing else {}
        if hub.guard.counts.settings_unusable:
            notes["settings"] = "the settings file is invalid; the previous settings stay in force, see the log"
        return Response(msgspec.json.encode(body | ({"notes": notes} if notes else {})), media_type=JSON)

    async def metrics(_request: Request) -> Response:
        return Response(rendered(hub.guard.counts, _gauges(hub)), media_type=METRICS)

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _gauges(hub: Hub) -> dict[str, float]:
    now, unix_ns = time.monotonic(), time.time_ns()
    moved = [channel.moved for channel in hub.channels.all.values() if channel.moved is not None]
    stops = hub.emergency.standing.stops if hub.emergency is not None else ()
    ages = {"last_move_age_seconds": now - max(moved)} if moved else {}
    end_s = hub.guard.trust.next_end_s()
    ends = {} if end_s is None else {"next_token_end_seconds": end_s}
    return (
        ages
        | ends
        | {
            "channels": len(hub.channels.all),
            "live_gateways": sum(1 for _ in hub.fleet.live(now)),
            "standing_stops": sum(stop.until_unix_ns > unix_ns for stop in stops),
        }
    )


async def _absent(_request: Request, error: Exception) -> Response:
    """Answer a call for an unknown path, or with a method that the path does not support."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    said = {404: "there is nothing at this path", 405: "this path does not support this method"}.get(
        status, "the call failed"
    )
    body = msgspec.json.encode(HubRefusal(said, "bundles/README.md lists the interface."))
    headers = error.headers if isinstance(error, HTTPException) else None
    return Response(body, status, headers=headers, media_type=JSON)
