"""Authorization: each entry of the interface, for each role."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.hub.app import application, table
from gateway.hub.bearer_tokens import ROLES, Role, TokenHolder, UnknownCallerLog, caller
from gateway.identity.tokens import digest
from tests.unit.hub.conftest import Inside

KNOWN = [TokenHolder(name=name, roles=("reader",), sha256=digest(f"secret-{name}")) for name in ("a", "b")]

MAY: dict[tuple[str, str], set[Role]] = {
    ("POST", "/v1/artefacts"): {"publisher"},
    ("GET", "/v1/artefacts/{digest}"): {"publisher", "reader"},
    ("GET", "/v1/channels"): {"publisher", "reader"},
    ("PUT", "/v1/channels/{name}"): {"publisher"},
    ("GET", "/v1/history"): {"publisher", "reader"},
    ("GET", "/v1/assignments"): {"publisher", "reader"},
    ("PUT", "/v1/assignments"): {"publisher"},
    ("POST", "/v1/heartbeats"): {"gateway"},
    ("GET", "/v1/rollouts/{revision}"): {"publisher", "reader", "responder"},
    ("POST", "/v1/stops"): {"responder"},
    ("GET", "/v1/stops"): {"responder", "reader"},
    ("DELETE", "/v1/stops/{id}"): {"responder"},
    ("GET", "/bundles/{channel}.tar.gz"): {"gateway"},
}


def test_one_is_known_by_the_digest_of_their_token() -> None:
    assert caller("Bearer secret-b", KNOWN) == KNOWN[1]
    assert caller("bearer  secret-a", KNOWN) == KNOWN[0]


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic secret-a", "secret-a", "Bearer secret-c", f"Bearer {'x' * 2000}", "Bearer é"],
)
def test_any_other_authorization_header_is_rejected(header: str) -> None:
    assert caller(header, KNOWN) is None


def test_a_digest_is_no_token() -> None:
    assert caller(f"Bearer {KNOWN[0].sha256}", KNOWN) is None


@pytest.mark.parametrize(
    ("gateways", "may", "may_not"),
    [
        ((), ["eu", "eu-1", "eu-west-2"], ["eup", "us", "", "EU", "e", "eu.1", "x-eu-1"]),
        (("eu-*", "edge"), ["eu-1", "eu-", "edge"], ["eu", "edge-1", "us-1", "eu*", "*"]),
        (("*",), ["anything"], []),
    ],
)
def test_a_gateways_token_speaks_for_the_names_in_it_or_for_its_own(
    gateways: tuple[str, ...], may: list[str], may_not: list[str]
) -> None:
    token = TokenHolder(name="eu", roles=("gateway",), sha256="0" * 64, gateways=gateways)
    assert [name for name in may if not token.speaks_for(name)] == []
    assert [name for name in may_not if token.speaks_for(name)] == []


async def test_every_entry_of_the_interface_is_looked_at(inside: Inside) -> None:
    assert {(method, path) for method, path, *_ in table(inside.hub)} == MAY.keys() - {
        ("GET", "/bundles/{channel}.tar.gz")
    }


@pytest.mark.parametrize("entry", MAY, ids=" ".join)
async def test_an_entry_accepts_its_roles_and_no_others(inside: Inside, entry: tuple[str, str]) -> None:
    method, path = entry[0], entry[1].format(digest="0" * 64, name="x", revision="x", id="x", channel="x")
    assert (await inside.call("", method, path)).status_code == 401
    unknown = await inside.call("", method, path, headers={"authorization": "Bearer mcpa_nobody"})
    assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, "Bearer")
    open_to = {role for role in ROLES if (await inside.call(role, method, path)).status_code != 403}
    assert open_to == MAY[entry]


async def test_a_body_is_not_read_before_the_caller_is_known(inside: Inside) -> None:
    async def never_ending() -> dict[str, Any]:
        raise AssertionError("it was read")

    sent: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append(int(str(message["status"])))

    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/v1/artefacts",
        "headers": [],
        "query_string": b"",
    }
    await application(inside.hub)(scope, never_ending, send)
    assert sent == [401]


@pytest.mark.parametrize("how", ["removed", "ended", "another role"])
async def test_a_token_that_goes_while_its_body_comes_has_no_effect(inside: Inside, how: str) -> None:
    trust = inside.hub.guard.trust
    left = {"removed": None, "ended": {"expires_unix_ns": 1}, "another role": {"roles": ("reader",)}}[how]

    async def receive() -> dict[str, Any]:
        others = [each for each in trust.callers if each.name != "the-responder"]
        known = next(each for each in trust.callers if each.name == "the-responder")
        trust.callers = others if left is None else [*others, replace(known, **left)]
        body = b'{"kind": "agent", "name": "bot", "for_s": 60, "because": "x"}'
        return {"type": "http.request", "body": body, "more_body": False}

    sent: list[int] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            sent.append(int(str(message["status"])))

    headers = [(name.encode(), value.encode()) for name, value in inside.ground.headers("responder").items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/stops", "headers": headers, "query_string": b""}
    await inside.app(scope, receive, send)
    assert sent == [403 if how == "another role" else 401]
    assert inside.hub.emergency is not None
    assert not inside.hub.emergency.standing.stops


async def test_refused_calls_are_counted(inside: Inside) -> None:
    await inside.call("", "GET", "/v1/channels")
    await inside.call("reader", "PUT", "/v1/channels/production")
    text = (await inside.call("", "GET", "/metrics")).text
    assert 'mcp_admission_hub_calls_refused_total{reason="unauthenticated"} 1.0' in text
    assert 'mcp_admission_hub_calls_refused_total{reason="forbidden"} 1.0' in text
    assert inside.log.named("call_refused")[0]["by"] == "the-reader"


def test_a_flood_of_unknown_callers_is_logged_once_a_second() -> None:
    strangers = UnknownCallerLog()
    told = [strangers.turned_away(at) for at in (100.0, 100.1, 100.9, 101.1, 101.2, 103.0)]
    assert told == [1, 0, 0, 3, 0, 2]


async def test_unknown_callers_are_logged_without_their_input(inside: Inside) -> None:
    await inside.call("", "GET", "/v1/channels", headers={"authorization": "Bearer mcpa_secret"})
    (told,) = inside.log.named("unauthenticated_calls_refused")
    assert told["count"] == 1
    assert "secret" not in str(told)
