"""A hub as a process, and real OPAs that follow it: what is published decides, whatever happens to the hub."""

import asyncio
import contextlib
import re
import signal
import ssl
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from gateway.identity.tokens import digest
from tests import stopping
from tests.hubs import Ground, Hub, bundle, changed, cli, ground, serving
from tests.opas import STOPPED, following, resident_mb, sockets_allowed
from tests.running import end, until
from tests.unit.supervisor.certificates import write_certificate

WAITING = 1_000
CROWD_S = 180.0


@pytest.fixture
def made(tmp_path: Path) -> Ground:
    return ground(tmp_path)


def port_of(hub: Hub) -> int:
    return urlsplit(hub.url).port or 0


async def beating(hub: Hub, name: str, opa: Any, channel: str = "production") -> None:
    """Report what an OPA decides by, as its gateway would, until cancelled."""
    while True:
        said: Any = await opa.ask()
        bundles: Any = {} if said is None else said.get("provenance", {}).get("bundles", {})
        revisions = {kind: bundles.get(kind, {}).get("revision", "") for kind in ("policy", "emergency")}
        body = {
            "gateway": name,
            "channel": channel,
            "revision": revisions["policy"],
            "emergency": revisions["emergency"],
        }
        with contextlib.suppress(httpx.HTTPError):  # the hub is away
            await hub.call("gateway", "POST", "/v1/heartbeats", json=body)
        await asyncio.sleep(0.05)  # noqa: TID251 - the rhythm of the heartbeats


async def test_what_is_published_is_what_opa_decides_by(made: Ground) -> None:
    async with serving(made) as hub, following(made, hub.url) as opa:
        first = await hub.publish(bundle("first", made.key, 1))
        said = await opa.answers("first")
        assert said["provenance"]["bundles"]["policy"]["revision"] == first["revision"]
        second = await hub.publish(bundle("second", made.key, 2))
        said = await opa.answers("second")
        assert said["provenance"]["bundles"]["policy"]["revision"] == second["revision"]


async def test_a_stop_reaches_opa_and_so_does_its_lift(made: Ground) -> None:
    async with serving(made) as hub, following(made, hub.url) as opa:
        await hub.publish(bundle("first", made.key, 1))
        await opa.answers([], STOPPED)
        beat = asyncio.create_task(beating(hub, "a", opa))
        words = ("stop", "--agent", "bot", "--for", "4h", "--because", "It mails strangers", "--hub", hub.url)
        code, stop, err = await cli(made, *words, "--wait", role="responder")
        assert (code, "1/1 gateways of emergency" in err) == (0, True), err
        assert (await opa.ask(STOPPED))["result"] == ["bot"]
        beat.cancel()
        await asyncio.gather(beat, return_exceptions=True)
        code, shown, err = await cli(made, "stop", "list", "--hub", hub.url, role="responder")
        assert (code, stop.strip() in shown) == (0, True), err
        words = ("stop", "lift", stop.strip(), "--because", "Mended", "--hub", hub.url)
        assert (await cli(made, *words, role="responder"))[0] == 0
        await opa.answers([], STOPPED)
        assert [each["by"] for each in hub.events("stopped")] == ["the-responder"]


async def test_a_killed_hub_changes_nothing_and_goes_on_where_it_was(made: Ground) -> None:
    async with serving(made) as hub, following(made, hub.url) as opa:
        pointer = await hub.publish(bundle("first", made.key, 1))
        stop = {"kind": "agent", "name": "bot", "for_s": 600, "because": "x"}
        assert (await hub.call("responder", "POST", "/v1/stops", json=stop)).status_code == 201
        await opa.answers("first")
        await opa.answers(["bot"], STOPPED)
        hub.process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(hub.process.wait)
        assert (await opa.ask())["result"] == "first"
        async with serving(made, port=port_of(hub)) as again:
            shown = (await again.call("reader", "GET", "/v1/channels")).json()
            assert shown["channels"] == [pointer]
            await again.publish(bundle("second", made.key, 2))
            await opa.answers("second")
            await opa.answers(["bot"], STOPPED)
            refused = await again.call("publisher", "POST", "/v1/artefacts", content=bundle("x", made.key, 1))
            assert refused.json()["code"] == "policy_regressed"


async def test_a_hub_that_stands_still_holds_nothing_back_for_ever(made: Ground) -> None:
    async with serving(made) as hub, following(made, hub.url) as opa:
        await hub.publish(bundle("first", made.key, 1))
        await opa.answers("first")
        stopping.stop(hub.process.pid)
        try:
            publishing = asyncio.create_task(hub.publish(bundle("second", made.key, 2)))
            done, _ = await asyncio.wait({publishing}, timeout=1)
            assert not done
            assert (await opa.ask())["result"] == "first"
        finally:
            hub.process.send_signal(signal.SIGCONT)
        await asyncio.wait_for(publishing, 60)
        await opa.answers("second")


async def test_of_two_publishers_at_once_one_gets_a_conflict_and_opa_the_other(made: Ground) -> None:
    async with serving(made) as hub, following(made, hub.url) as opa:
        first = await hub.publish(bundle("first", made.key, 1))
        rivals = [bundle(name, made.key, 2) for name in ("a", "b")]
        uploaded = [(await hub.call("publisher", "POST", "/v1/artefacts", content=each)).json() for each in rivals]
        bodies = [{"digest": each["digest"], "because": "x", "expected": first["digest"]} for each in uploaded]
        place = "/v1/channels/production"
        answers = await asyncio.gather(*(hub.call("publisher", "PUT", place, json=body) for body in bodies))
        assert sorted(each.status_code for each in answers) == [200, 409]
        (lost,) = [each.json() for each in answers if each.status_code == 409]
        assert lost["code"] == "pointer_moved"
        winner = "ab"[[each.status_code for each in answers].index(200)]
        await opa.answers(winner)


async def test_publish_returns_when_every_live_gateway_enforces_it(made: Ground) -> None:
    file = made.root / "bundle.tar.gz"
    async with serving(made) as hub, following(made, hub.url, name="a") as a, following(made, hub.url, name="b") as b:
        beats = [asyncio.create_task(beating(hub, name, opa)) for name, opa in (("a", a), ("b", b))]
        try:
            file.write_bytes(bundle("first", made.key, 1))
            words = ("bundle", "publish", str(file), "--to", hub.url, "--channel", "production", "--because", "x")
            code, out, err = await cli(made, *words, "--wait", "--at-least", "2")
            assert code == 0, err
            assert f"{out.strip()} is enforced by 2 gateways of production" in err
            assert [(await opa.ask())["result"] for opa in (a, b)] == ["first", "first"]
            a.process.send_signal(signal.SIGSTOP)
            file.write_bytes(bundle("second", made.key, 2))
            code, out, err = await cli(made, *words, "--wait", "--deadline", "4", "--at-least", "2")
            assert code == 1
            assert re.search(r"a enforces test@\S+\.1 \(last seen", err), err
            a.process.send_signal(signal.SIGCONT)
            code, _, err = await cli(made, "rollout", out.strip(), "--hub", hub.url, "--at-least", "2")
            assert (code, "2/2" in err) == (0, True), err
        finally:
            for beat in beats:
                beat.cancel()
            await asyncio.gather(*beats, return_exceptions=True)


async def test_a_rollback_is_enforced_under_a_new_number(made: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(made) as hub, following(made, hub.url) as opa:
        await hub.publish(bundle("good", made.key, 1))
        bad = await hub.publish(bundle("bad", made.key, 2))
        await opa.answers("bad")
        beat = asyncio.create_task(beating(hub, "a", opa))
        try:
            words = ("bundle", "rollback", "--to", hub.url, "--channel", "production", "--because", "It was wrong")
            began = time.monotonic()
            code, out, err = await cli(made, *words, "--key-file", str(made.root / "release.pem"), "--wait")
            took = time.monotonic() - began
            assert code == 0, err
            assert out.strip().endswith(".3")
            assert f"reverts {bad['revision']}" in err
            assert (await opa.ask())["result"] == "good"
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
    enforced = re.search(r"after (\d+) ms", err)
    text = f"{took:.2f} s for the command, enforced {enforced[1] if enforced else '?'} ms after the move"
    with capsys.disabled():
        print(f"\nrollback: {text}")  # noqa: T201 - the measured time is wanted


async def test_a_canary_is_assigned_promoted_and_aborted(made: Ground) -> None:
    async with (
        serving(made) as hub,
        following(made, hub.url, query="?label=ring=first", name="early") as early,
        following(made, hub.url, name="rest") as rest,
    ):
        await hub.publish(bundle("first", made.key, 1))
        await early.answers("first")
        code, _, err = await cli(made, "canary", "assign", "--label", "ring=first", "--hub", hub.url)
        assert code == 0, err
        await hub.publish(bundle("second", made.key, 2), "canary")
        await early.answers("second")
        assert (await rest.ask())["result"] == "first"
        code, _, err = await cli(made, "canary", "promote", "--hub", hub.url, "--because", "A quiet day")
        assert code == 0, err
        await rest.answers("second")
        await hub.publish(bundle("third", made.key, 3), "canary")
        await early.answers("third")
        key = ("--key-file", str(made.root / "release.pem"))
        code, out, err = await cli(made, "canary", "abort", "--hub", hub.url, "--because", "It was wrong", *key)
        assert code == 0, err
        assert out.strip().endswith(".4")
        said = await early.answers("second")
        assert said["provenance"]["bundles"]["policy"]["revision"] == out.strip()


async def test_the_hub_speaks_tls_and_takes_up_a_renewed_certificate(tmp_path: Path) -> None:
    certificate, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    write_certificate(certificate, key, "first")
    made = ground(tmp_path, listen={"port": 0, "tls": {"certificate": "tls.crt", "key": "tls.key"}})
    async with serving(made) as hub:
        assert hub.url.startswith("https://")
        async with following(made, hub.url) as opa:
            await hub.publish(bundle("first", made.key, 1))
            await opa.answers("first")
        write_certificate(certificate, key, "second")

        async def renewed() -> bool | None:
            shown = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port_of(hub)), timeout=30)
            return shown.split() == certificate.read_text(encoding="ascii").split() or None

        await until(renewed, lambda: "the old certificate is still shown")
        assert hub.client is not None
        await hub.client.aclose()
        hub.client = None  # the next call trusts, and sees, the new certificate
        assert (await hub.call("reader", "GET", "/v1/channels")).status_code == 200


async def test_a_thousand_wait_in_one_process_and_are_all_answered(
    made: Ground, capsys: pytest.CaptureFixture[str]
) -> None:
    sockets_allowed(4 * WAITING)
    async with serving(made) as hub:
        first = await hub.publish(bundle("first", made.key, 1))
        empty = resident_mb(hub.process.pid)
        crowd = [asyncio.create_task(held(made, hub, first["digest"])) for _ in range(WAITING)]
        await until(lambda: waiting(hub, WAITING), lambda: "not all are held", deadline_s=CROWD_S)
        full = resident_mb(hub.process.pid)
        began = time.monotonic()
        second = await hub.publish(bundle("second", made.key, 2))
        answers = await asyncio.wait_for(asyncio.gather(*crowd), CROWD_S)
        took = time.monotonic() - began
        assert set(answers) == {second["digest"]}
        assert await waiting(hub, 0)
        assert (full - empty) / WAITING < 0.5, "megabytes for each who waits"
    text = f"{empty:.0f} -> {full:.0f} MB; all answered {took:.2f} s after publishing began"
    with capsys.disabled():
        print(f"\n{WAITING} held: {text}")  # noqa: T201 - the measured figures are wanted


async def held(made: Ground, hub: Hub, digest: str) -> str:
    """Wait for another bundle, on a connection of one's own, and return its digest."""
    parts = urlsplit(hub.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
    lines = (
        "GET /bundles/production.tar.gz HTTP/1.1",
        "Host: hub",
        f"Authorization: Bearer {made.tokens['gateway']}",
        f'If-None-Match: "{digest}"',
        "Prefer: modes=snapshot,delta;wait=300",
    )
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    writer.close()
    assert head.startswith("http/1.1 200"), head
    found = re.search(r'etag: "([0-9a-f]{64})"', head)
    return found[1] if found else ""


async def waiting(hub: Hub, count: int) -> bool | None:
    """Whether exactly so many are held, as the hub's metrics say."""
    text = (await hub.call("reader", "GET", "/metrics")).text
    found = re.search(r"^mcp_admission_hub_waiting (\d+)", text, re.MULTILINE)
    return (found is not None and int(found[1]) == count) or None


async def test_what_a_hub_has_is_fetched_by_channel_revision_and_digest(made: Ground, tmp_path: Path) -> None:
    contents = [bundle(answer, made.key, seq) for seq, answer in ((1, "first"), (2, "second"))]
    async with serving(made) as hub:
        first, second = [await hub.publish(content) for content in contents]
        out = tmp_path / "fetched.tar.gz"
        words = ("--from", hub.url, "-o", str(out), "--force", "--verification-key", str(tmp_path / "release.pub.pem"))
        for wanted, content in (
            ("production", contents[1]),
            (first["revision"], contents[0]),
            (second["digest"], contents[1]),
        ):
            code, _, err = await cli(made, "bundle", "fetch", wanted, *words, role="reader")
            assert (code, "signature verified" in err) == (0, True), err
            assert await asyncio.to_thread(out.read_bytes) == content
        code, _, err = await cli(made, "bundle", "fetch", "production", *words, role="gateway")
        assert (code, "refused (403)" in err) == (1, True), err


async def test_whoever_waits_is_let_go_when_the_hub_ends(made: Ground) -> None:
    async with serving(made) as hub:
        first = await hub.publish(bundle("first", made.key, 1))
        asked = asyncio.create_task(held(made, hub, first["digest"]))
        await until(lambda: waiting(hub, 1), lambda: "it is not held")
        began = time.monotonic()
        await asyncio.to_thread(end, hub.process)
        assert hub.process.returncode == 0
        assert time.monotonic() - began < 14
        with pytest.raises(AssertionError, match="503"):
            await asyncio.wait_for(asked, 30)


async def test_tokens_change_while_the_hub_runs_and_who_waits_goes_on_waiting(made: Ground) -> None:
    async with serving(made) as hub:
        first = await hub.publish(bundle("first", made.key, 1))
        asked = asyncio.create_task(held(made, hub, first["digest"]))
        await until(lambda: waiting(hub, 1), lambda: "it is not held")
        changed(made, "the-reader", sha256=digest("mcpa_other"))

        async def exchanged() -> bool | None:
            return (await hub.call("reader", "GET", "/v1/channels")).status_code == 401 or None

        await until(exchanged, lambda: "the old token is still good")
        whole = made.settings.read_bytes()
        made.settings.write_bytes(whole[:-40])

        async def refused() -> bool | None:
            return bool(hub.events("settings_refused")) or None

        await until(refused, lambda: "nobody is told of the broken file")
        assert f"{made.settings}:" in hub.events("settings_refused")[0]["problems"]
        assert not asked.done()
        second = await hub.publish(bundle("second", made.key, 2))
        assert await asyncio.wait_for(asked, 30) == second["digest"]
