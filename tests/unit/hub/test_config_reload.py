"""Settings that change while the hub runs are loaded completely, or not at all with their errors logged."""

import asyncio
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.admission.redaction import without_secrets
from gateway.artifact.signing import ephemeral_key
from gateway.hub.config_reload import ConfigReloader
from gateway.identity.tokens import digest
from tests.hubs import bundle, private_pem
from tests.unit.hub.conftest import Inside


@pytest.fixture
def renewing(inside: Inside) -> ConfigReloader:
    return ConfigReloader(inside.settings, inside.hub.guard.trust, (inside.hub.guard.counts, inside.log))


def write(inside: Inside, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the settings file, as an editor does."""
    settings = json.loads(inside.ground.settings.read_text())
    change(settings)
    fresh = inside.ground.root / "fresh"
    fresh.write_text(json.dumps(settings, indent=2))
    fresh.replace(inside.ground.settings)


async def looked(renewing: ConfigReloader) -> None:
    """Check twice: the first check sees a change, and the second loads it."""
    await renewing.look()
    await renewing.look()


async def test_a_new_token_opens_and_a_removed_one_does_not(inside: Inside, renewing: ConfigReloader) -> None:
    def exchange(settings: dict[str, Any]) -> None:
        settings["tokens"] = [each for each in settings["tokens"] if each["name"] != "the-reader"]
        settings["tokens"].append({"name": "new", "roles": ["reader"], "sha256": digest("mcpa_new")})

    write(inside, exchange)
    await looked(renewing)
    headers = {"authorization": "Bearer mcpa_new"}
    assert (await inside.call("", "GET", "/v1/channels", headers=headers)).status_code == 200
    assert (await inside.call("reader", "GET", "/v1/channels")).status_code == 401
    assert (await inside.call("publisher", "GET", "/v1/channels")).status_code == 200
    (said,) = inside.log.named("settings_reloaded")
    assert said == {"callers": {"added": ["new"], "removed": ["the-reader"]}, "keys": {}}
    assert without_secrets(said, []) == said, "whose tokens they are is for operators to read"


async def test_a_reload_does_not_end_long_polls(inside: Inside, renewing: ConfigReloader) -> None:
    first = await inside.publish(inside.bundle("x", 1))
    asked = asyncio.create_task(inside.poll(etag=f'"{first["digest"]}"', wait=60))
    async with asyncio.timeout(30):
        while not inside.hub.guard.counts.waiting:
            await asyncio.sleep(0)  # noqa: TID251 - until it is held
    write(inside, lambda settings: settings["tokens"].pop(0))
    await looked(renewing)
    assert inside.log.named("settings_reloaded")
    assert (asked.done(), inside.hub.guard.counts.waiting) == (False, 1)
    inside.hub.channels.close()
    await asked


BROKEN: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a role": (lambda settings: settings["tokens"][1].update(roles=["admin"]), "tokens[1].roles"),
    "a word": (lambda settings: settings.update(tokns=settings.pop("tokens")), "tokns: is not a setting"),
    "a key": (lambda settings: settings.update(keys=[{"file": "gone.pem"}]), "keys[0].file"),
    "no key": (lambda settings: settings.update(keys=[]), "keys: is missing"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_invalid_settings_change_nothing_and_are_logged_once_with_file_and_line(
    inside: Inside, renewing: ConfigReloader, case: str
) -> None:
    change, said = BROKEN[case]
    good = inside.ground.settings.read_bytes()
    write(inside, change)
    for _ in range(3):
        await looked(renewing)
    (told,) = inside.log.named("settings_refused")
    assert f"{inside.ground.settings}:" in str(told["problems"])
    assert said in str(told["problems"])
    for role in ("publisher", "reader"):
        assert (await inside.call(role, "GET", "/v1/channels")).status_code == 200
    await inside.publish(inside.bundle("x", 1))
    assert "mcp_admission_hub_settings_unusable 1.0" in (await inside.call("", "GET", "/metrics")).text
    assert "settings" in (await inside.call("", "GET", "/readyz")).json()["notes"]
    inside.ground.settings.write_bytes(good)
    await looked(renewing)
    assert "mcp_admission_hub_settings_unusable 0.0" in (await inside.call("", "GET", "/metrics")).text
    assert not inside.log.named("settings_reloaded"), "nothing is new"


@pytest.mark.parametrize("how", ["unlink", "empty", "not text", "half"])
async def test_a_file_that_is_gone_or_cut_off_takes_no_token_away(
    inside: Inside, renewing: ConfigReloader, how: str
) -> None:
    path = inside.ground.settings
    whole = path.read_bytes()
    if how == "unlink":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "not text": b"\xff\xfe", "half": whole[: len(whole) // 2]}[how])
    await looked(renewing)
    assert inside.log.named("settings_refused")
    assert (await inside.call("reader", "GET", "/v1/channels")).status_code == 200


async def test_a_file_is_not_read_while_it_is_being_written(inside: Inside, renewing: ConfigReloader) -> None:
    for count in (3, 2, 1):
        write(inside, lambda settings, count=count: settings.update(tokens=settings["tokens"][:count]))
        await renewing.look()
    assert len(inside.hub.guard.trust.callers) == 4
    await renewing.look()
    assert len(inside.hub.guard.trust.callers) == 1


async def test_a_second_key_signs_from_then_on_and_one_that_is_removed_does_not(
    inside: Inside, renewing: ConfigReloader
) -> None:
    new = ephemeral_key()
    (inside.ground.root / "new.pub.pem").write_text(new.public_pem)
    write(inside, lambda settings: settings["keys"].append({"file": "new.pub.pem"}))
    await looked(renewing)
    first = await inside.publish(bundle("x", new, 1))
    await inside.publish(inside.bundle("y", 2), first["digest"])
    write(inside, lambda settings: settings["keys"].pop(0))
    await looked(renewing)
    assert (await inside.upload(inside.bundle("z", 3))).json()["code"] == "bundle_signature_invalid"
    assert (await inside.upload(bundle("z", new, 3))).status_code == 201


async def test_a_changed_key_file_is_reloaded(inside: Inside, renewing: ConfigReloader) -> None:
    new = ephemeral_key()
    (inside.ground.root / "release.pub.pem").write_text(new.public_pem)
    await looked(renewing)
    assert (await inside.upload(bundle("x", new, 1))).status_code == 201
    assert (await inside.upload(inside.bundle("x", 1))).json()["code"] == "bundle_signature_invalid"


UNKNOWN_CURVE = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoEcz1UBgi0DQgAE2s0S6SVz4D/V603j/LbbRlIW7GsJ
BJsMK+yAjbS/0XWowoBIm09gBBL6C2VvLgeSmD3qjRTXDRk4zCoGy69XXA==
-----END PUBLIC KEY-----
"""


async def test_an_unreadable_key_is_logged_and_the_next_change_is_loaded(
    inside: Inside, renewing: ConfigReloader
) -> None:
    (inside.ground.root / "odd.pub.pem").write_text(UNKNOWN_CURVE)
    write(inside, lambda settings: settings["keys"].append({"file": "odd.pub.pem"}))
    await looked(renewing)
    assert "odd.pub.pem" in str(inside.log.named("settings_refused"))
    write(inside, lambda settings: settings.update(keys=settings["keys"][:1], tokens=settings["tokens"][:3]))
    await looked(renewing)
    assert (await inside.call("reader", "GET", "/v1/channels")).status_code == 401


async def test_a_key_file_that_arrives_after_its_settings_is_loaded(inside: Inside, renewing: ConfigReloader) -> None:
    new = ephemeral_key()
    write(inside, lambda settings: settings["keys"].append({"file": "late.pub.pem"}))
    await looked(renewing)
    assert "late.pub.pem" in str(inside.log.named("settings_refused"))
    (inside.ground.root / "late.pub.pem").write_text(new.public_pem)
    await looked(renewing)
    assert (await inside.upload(bundle("x", new, 1))).status_code == 201


async def test_changes_that_need_a_restart_are_logged_and_the_others_are_loaded(
    inside: Inside, renewing: ConfigReloader, tmp_path: Path
) -> None:
    (tmp_path / "emergency.pem").write_bytes(private_pem(ephemeral_key()))

    def change(settings: dict[str, Any]) -> None:
        settings["listen"] = {"port": 1}
        settings["tokens"].pop()

    write(inside, change)
    await looked(renewing)
    await looked(renewing)
    assert inside.log.named("settings_need_restart") == [{"settings": ["listen", "emergency_key"]}]
    assert (await inside.call("reader", "GET", "/v1/channels")).status_code == 401
    stop = {"kind": "agent", "name": "bot", "for_s": 60, "because": "x"}
    assert (await inside.call("responder", "POST", "/v1/stops", json=stop)).status_code == 201
    os.utime(inside.ground.settings)
    await looked(renewing)
    assert len(inside.log.named("settings_reloaded")) == 1, "a new timestamp alone is not a change"
