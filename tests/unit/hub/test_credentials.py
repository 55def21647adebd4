"""Tokens that expire: access before and after, and the warnings."""

import asyncio
import time

import pytest

from gateway.artifact.manifest import rfc3339
from gateway.hub.bearer_tokens import TokenHolder
from gateway.hub.credentials import Credentials
from tests.unit.hub.conftest import Inside
from tests.unit.opa.support import Log

DAY_NS = 86_400 * 1_000_000_000
END_NS = 100 * DAY_NS


def ending(name: str, unix_ns: int) -> TokenHolder:
    said = rfc3339(unix_ns / 1e9)
    return TokenHolder(name=name, roles=("reader",), sha256="0" * 64, expires=said, expires_unix_ns=unix_ns)


def expire(inside: Inside, role: str) -> None:
    """Expire the token of a role a moment ago."""
    trust, now = inside.hub.guard.trust, time.time_ns()
    trust.callers = [
        TokenHolder(
            name=each.name, roles=each.roles, sha256=each.sha256, expires=rfc3339(now / 1e9), expires_unix_ns=now - 1
        )
        if role in each.roles
        else each
        for each in trust.callers
    ]


def test_a_token_opens_until_its_end_and_one_without_end_always() -> None:
    token = ending("a", END_NS)
    assert [token.ended(at) for at in (0, END_NS - 1, END_NS, END_NS + 1)] == [False, False, True, True]
    assert not TokenHolder(name="b", roles=(), sha256="").ended(1 << 62)


def test_the_hub_warns_once_14_and_3_days_before_the_end_and_at_the_end() -> None:
    log = Log()
    trust = Credentials([ending("a", END_NS), TokenHolder(name="b", roles=(), sha256="")], (), log)
    for day in (0, 85.9, 86.1, 87, 96.9, 97.1, 99.9, 100, 101):
        trust.look(int(day * DAY_NS))
    told = [(event, fields.get("within")) for event, fields in log.events]
    assert told == [("token_expires_soon", "14 days"), ("token_expires_soon", "3 days"), ("token_expired", None)]
    assert {fields["name"] for _, fields in log.events} == {"a"}


async def test_a_token_that_has_ended_is_401_says_so_and_is_counted(inside: Inside) -> None:
    assert (await inside.call("reader", "GET", "/v1/channels")).status_code == 200
    expire(inside, "reader")
    refused = await inside.call("reader", "GET", "/v1/channels")
    assert (refused.status_code, refused.json()["code"]) == (401, "token_expired")
    assert refused.json()["error"].startswith("the token of the-reader expired at ")
    assert (await inside.call("publisher", "GET", "/v1/channels")).status_code == 200
    text = (await inside.call("", "GET", "/metrics")).text
    assert 'mcp_admission_hub_calls_refused_total{reason="expired"} 1.0' in text
    assert "mcp_admission_hub_next_token_end_seconds -" in text
    assert [each["by"] for each in inside.log.named("expired_token_refused")] == ["the-reader"]


async def test_the_expiry_metric_is_absent_if_no_token_ends(inside: Inside) -> None:
    assert "next_token_end" not in (await inside.call("", "GET", "/metrics")).text


@pytest.mark.parametrize("how", ["ended", "removed"])
async def test_a_long_poll_gets_nothing_new_after_its_token_ended_or_was_removed(inside: Inside, how: str) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    asked = asyncio.create_task(inside.poll(etag=f'"{first["digest"]}"', wait=60))
    async with asyncio.timeout(30):
        while not inside.hub.guard.counts.waiting:
            await asyncio.sleep(0)  # noqa: TID251 - until it is held
    if how == "ended":
        expire(inside, "gateway")
    else:
        trust = inside.hub.guard.trust
        trust.callers = [each for each in trust.callers if "gateway" not in each.roles]
    await inside.publish(inside.bundle("y", 2), first["digest"])
    assert (await asyncio.wait_for(asked, 30)).status_code == 401
