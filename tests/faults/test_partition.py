"""A gateway and its hub, both real: stops of people, streams, a way that is cut between them, and a laggard."""

import asyncio
import os
import socket
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio
from msgspec import Struct

from gateway.artifact.stop_file import Stops
from gateway.hub.stop_store import new_stop
from tests.clients.raw import PATIENCE_S, Session, events, first, initialized, opened
from tests.faults.followed import Stage, built, counterpart, followed
from tests.faults.hubbed import (
    STOPPED,
    answered,
    counted,
    lifted,
    limits,
    published,
    service,
    stopped,
    told,
    unready,
)
from tests.hubs import Hub, ground, serving
from tests.running import ANYONE, catalog
from tests.servers.cuttable import Way, cuttable
from tests.servers.talking import TOOLS, talking
from tests.unit.identity.support import NAME, RSA, Published, jwk, token
from tests.unit.identity.support import serving as issuing

pytestmark = pytest.mark.asyncio(loop_scope="module")

STALE_S: Final = 14
AUDIENCE: Final = "https://gateway.example"
STREAM: Final = {"accept": "text/event-stream"}


class United(Struct):
    """A gateway, its hub, and the way between them."""

    stage: Stage
    hub: Hub
    way: Way


def person(name: str) -> dict[str, Any]:
    return {**ANYONE, "agent": name, "anonymous": False, "identities": [{"issuer": NAME, "subject": name}]}


def bearer(name: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token(sub=name, aud=AUDIENCE, exp=time.time() + 3600)}"}


def identified(published: Published) -> dict[str, Any]:
    """The settings of a gateway that knows people: it listens where tokens can be for, and asks their issuer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    issuer = {"issuer": NAME, "keys_url": published.url, "audience": AUDIENCE}
    return {
        "identity": {"issuers": [issuer]},
        "listen": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        **limits(STALE_S),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def united(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[United]:
    root, made = tmp_path_factory.mktemp("gateway"), ground(tmp_path_factory.mktemp("hub"))
    keys = Published(jwk(RSA))
    async with AsyncExitStack() as stack:
        stack.enter_context(issuing(keys))
        talker = stack.enter_context(talking(root / "journal-of-the-server"))
        server = await stack.enter_async_context(counterpart())
        hub = await stack.enter_async_context(serving(made))
        way = await stack.enter_async_context(cuttable(hub.url))
        files = {f"agents/{name}.yaml": person(name) for name in ("alice", "bob")}
        files["catalog/talk.yaml"] = catalog("talk", talker.url, tools={name: {"action": "read"} for name in TOOLS})
        policy = await asyncio.to_thread(built, root, server, files)
        revision = await published(hub, policy, 7)
        wanted = {"bundle": service(made, way.url), "settings": identified(keys)}
        stage = await stack.enter_async_context(followed(root, [], policy, server, **wanted))
        await stage.enforced(revision)
        yield United(stage, hub, way)


async def cli(hub: Hub, role: str, *words: str) -> tuple[int, str, str]:
    """Return the exit code, the output and the complaints of a command."""
    command = [sys.executable, "-m", "gateway", *words, "--token-file", str(hub.ground.token_file(role))]
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=dict(os.environ))
    out, err = await asyncio.wait_for(process.communicate(), 120)
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_stop_of_one_person_refuses_them_closes_their_stream_and_leaves_everybody_else_alone(
    united: United,
) -> None:
    stage, line = united.stage, united.stage.behind.line
    alice, bob = (tuple(bearer(name).items()) for name in ("alice", "bob"))
    for who in (alice, bob):
        await answered(line, "", "echo", *who)
    url = stage.behind.gateway.url("talk")
    ending, lasting = await initialized(url, dict(alice)), await initialized(url, dict(bob))
    async with standing(ending) as cut, standing(lasting) as kept:
        words = ("stop", "--principal", f"{NAME}#alice", "--for", "10m", "--because", "Her laptop was stolen")
        code, stop, err = await cli(united.hub, "responder", *words, "--hub", united.hub.url, "--wait")
        assert (code, "1/1 gateways of emergency" in err) == (0, True), err
        async with asyncio.timeout(PATIENCE_S):
            await to_its_end(cut)
        await lasting.said(lasting.call("announce"))
        await first(events(kept), "notifications/tools/list_changed")
    await answered(line, STOPPED, "echo", *alice)
    await answered(line, "", "echo", *bob)
    await answered(line, "", "echo")
    await told(stage, "stopped", stop.strip())
    await counted(stage, "stopped")
    refused = [one for one in stage.behind.gateway.records("decided") if one.get("requirement") == STOPPED]
    assert {one["principal"]["subject"] for one in refused} == {"alice"}
    await lifted(united.hub, stop.strip())
    await answered(line, "", "echo", *alice)
    await told(stage, "lifted", stop.strip())
    await counted(stage, "lifted")


def standing(session: Session) -> Any:
    return opened("GET", session.url, {**session.headers, **STREAM})


async def to_its_end(answer: httpx.Response) -> None:
    assert answer.status_code == 200
    try:
        async for _ in events(answer):
            pass
    except httpx.RemoteProtocolError:
        return  # a stream that is cut has no proper end


async def test_a_laggard_is_named_with_its_reason_and_publishing_fails_at_the_deadline(united: United) -> None:
    stage, made = united.stage, united.hub.ground
    file = made.root / "bundle.tar.gz"
    before = await stage.behind.gateway.revision()
    file.write_bytes(stage.policy.bundle(8, key=made.key, lowest_gateway="99.0.0").content)
    words = ("bundle", "publish", str(file), "--to", united.hub.url, "--channel", "production", "--because", "x")
    code, _, err = await cli(united.hub, "publisher", *words, "--wait", "--deadline", "3")
    assert code == 1
    assert f"gateway-1 enforces {before}: bundle_needs_newer_gateway" in err
    assert "is not enforced everywhere after 3 s" in err
    await stage.noted("rejected", code="bundle_needs_newer_gateway")
    assert await stage.metric('mcp_admission_bundles_rejected_total{code="bundle_needs_newer_gateway"}') > 0
    await stage.calls()
    file.write_bytes(stage.policy.bundle(9, key=made.key).content)
    code, out, err = await cli(united.hub, "publisher", *words, "--wait")
    assert code == 0, err
    assert await stage.behind.gateway.revision() == out.strip()


async def test_while_it_is_cut_off_old_revision_and_stops_decide_until_the_limit_and_then_its_hubs_stops_bind_at_once(
    united: United,
) -> None:
    stage, line, hub = united.stage, united.stage.behind.line, united.hub
    before = await stage.behind.gateway.revision()
    old = await stopped(hub, "target", "s/delete")
    await answered(line, STOPPED, "delete")
    stales = await stage.metric('mcp_admission_events_total{event="policy_stale"}')
    united.way.cut()
    await stage.noted("hub_unreachable")
    await counted(stage, "hub_unreachable")
    missed = await stopped(hub, "agent", "alice")
    newer = await published(hub, stage.policy, 20)
    await answered(line, STOPPED, "delete")
    for who in ((), tuple(bearer("alice").items())):
        await answered(line, "", "echo", *who)
    assert await stage.behind.gateway.revision() == before
    own = Stops(stage.behind.gateway.root / "state")
    now = time.time_ns()
    here = new_stop({"agent": "bob"}, for_s=600, because="Here, too", about=("root", now))
    assert not isinstance(own.add(here, now), str)
    await answered(line, STOPPED, "echo", *bearer("bob").items())
    await answered(line, "", "echo", *bearer("alice").items())

    await stage.noted("stale", code="policy_stale", revision=before)
    await unready(stage, "fresh_policy", "policy_staleness")
    await counted(stage, "stale", stales)
    await stage.calls("policy_stale")

    allowed = passed(stage, "alice")
    united.way.mend()
    await answered(line, STOPPED, "echo", *bearer("alice").items())
    await stage.enforced(newer)
    await answered(line, STOPPED, "echo", *bearer("bob").items())
    await answered(line, STOPPED, "delete")
    await answered(line, "")
    assert passed(stage, "alice") == allowed, "nothing of hers passed once the hub was heard again"
    await stage.noted("hub_reached")
    await stage.noted("fresh")
    own.lift(here.id, time.time_ns())
    for stop in (old, missed):
        await lifted(hub, stop)
    await answered(line, "", "echo", *bearer("bob").items())


def passed(stage: Stage, name: str) -> list[str]:
    """The calls of somebody that were allowed."""
    allowed = [one for one in stage.behind.gateway.records("decided") if one["outcome"] == "allow"]
    return [one["call_id"] for one in allowed if one["principal"].get("subject") == name]
