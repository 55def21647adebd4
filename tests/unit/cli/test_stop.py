"""Stops without a hub: the document for the gateway of a settings file, and rejected stops."""

import json
import time
from functools import partial
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.admission.session_digest import session_digest
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import pack
from gateway.artifact.stop_file import Stops
from gateway.cli import main


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text("state: {directory: state}\n")
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["stop", *words])


def stopped(settings: Path, *words: str) -> Result:
    return run(*words, "--for", "4h", "--because", "It mails strangers", "--config", str(settings))


def test_a_stop_is_in_the_state_directory_with_its_end_and_its_reason(settings: Path) -> None:
    made = stopped(settings, "--agent", "support-bot")
    assert made.exit_code == 0, made.output
    (stop,) = Stops(settings.parent / "state").standing().stops
    assert (stop.id, stop.kind, stop.name) == (made.stdout.strip(), "agent", "support-bot")
    assert 0 <= time.time_ns() + 4 * 3600 * 10**9 - stop.until_unix_ns < 60 * 10**9
    (line,) = (settings.parent / "state" / "stops.jsonl").read_text().splitlines()
    assert json.loads(line)["stop"]["id"] == stop.id
    (shown,) = run("list", "--config", str(settings)).stdout.splitlines()
    assert json.loads(shown)["because"] == "It mails strangers"


@pytest.mark.parametrize(
    ("option", "name"), [("--principal", "https://idp#eve"), ("--server", "github"), ("--target", "github/push")]
)
def test_every_selector_can_be_stopped(settings: Path, option: str, name: str) -> None:
    assert stopped(settings, option, name).exit_code == 0
    assert Stops(settings.parent / "state").standing().stops[0].name == name


def test_a_stop_is_lifted_by_its_id(settings: Path) -> None:
    made = stopped(settings, "--agent", "bot").stdout.strip()
    lifted = run("lift", made, "--because", "Mended", "--config", str(settings))
    assert lifted.exit_code == 0, lifted.output
    listed = run("list", "--config", str(settings))
    assert (listed.stdout, listed.stderr) == ("", "No stops are in force.\n")
    again = run("lift", made, "--because", "Mended", "--config", str(settings))
    assert (again.exit_code, "does not exist" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--agent", "a"),
        ("--agent", "a", "--for", "4h"),
        ("--agent", "a", "--agent", "b", "--for", "4h", "--because", "x"),
        ("--agent", "a", "--for", "soon", "--because", "x"),
        ("--agent", "a", "--for", "0h", "--because", "x"),
    ],
)
def test_a_missing_option_is_requested_and_nothing_is_stopped(settings: Path, words: tuple[str, ...]) -> None:
    assert run(*words, "--config", str(settings)).exit_code == 2
    assert not (settings.parent / "state").exists()


@pytest.mark.parametrize("unborne", ["", "no bundle in force lists the agent 'bto'"])
def test_a_name_that_a_hub_does_not_know_is_told_and_the_stop_stands(
    unborne: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"id": "stop-1", "kind": "agent", "name": "bto", "until_unix_ns": 1, "because": "x", "by": "a", "at": ""}
    transport = httpx.MockTransport(
        lambda _: httpx.Response(201, json=named | ({"unborne": unborne} if unborne else {}))
    )
    monkeypatch.setattr("gateway.cli.publishing.hub_client.httpx.Client", partial(httpx.Client, transport=transport))
    monkeypatch.setenv("MCP_HUB_TOKEN", "mcpa_x")
    made = run("--agent", "bto", "--for", "4h", "--because", "x", "--hub", "https://hub.example.com")
    assert (made.exit_code, made.stdout) == (0, "stop-1\n")
    assert made.stderr.splitlines()[1:] == (
        [f"{unborne}: is it misspelled? The stop is in force nevertheless."] if unborne else []
    )


def test_a_stop_needs_a_hub_or_a_settings_file(settings: Path) -> None:
    assert "Give --hub URL, or --config FILE" in run("--agent", "a", "--for", "4h", "--because", "x").stderr


def test_an_invalid_stop_is_reported(settings: Path) -> None:
    refused = stopped(settings, "--agent", "A b")
    assert refused.exit_code == 1
    assert "is not a valid agent" in refused.stderr


def test_a_stop_beyond_a_day_is_rejected_without_asking_a_hub(settings: Path) -> None:
    for where in (("--config", str(settings)), ("--hub", "http://127.0.0.1:1", "--token-file", "none")):
        refused = run("--agent", "bot", "--for", "25h", "--because", "x", *where)
        assert (refused.exit_code, "longer than 24 hours" in refused.stderr) == (2, True)
    assert stopped(settings, "--agent", "bot").exit_code == 0
    assert run("--agent", "b", "--for", "24h", "--because", "x", "--config", str(settings)).exit_code == 0


def test_a_damaged_file_lifts_nothing_and_is_said(settings: Path) -> None:
    stopped(settings, "--agent", "bot")
    (settings.parent / "state" / "stops.json").write_text("{")
    for words in (("list",), ("lift", "x", "--because", "y")):
        refused = run(*words, "--config", str(settings))
        assert refused.exit_code == 1
        assert "is not a valid file of stops" in refused.stderr


@pytest.mark.parametrize("url", ["http://hub.example.com", "ftp://hub", "hub"])
def test_a_token_does_not_go_over_a_network_in_the_clear(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCP_HUB_TOKEN", "mcpa_x")
    assert run("list", "--hub", url).exit_code == 2


def test_a_hub_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MCP_HUB_TOKEN", raising=False)
    assert "--token-file" in run("list", "--hub", "https://hub.example.com").stderr


def test_selectors_are_combined_and_all_are_shown(settings: Path) -> None:
    made = stopped(settings, "--kind", "cursor", "--action", "delete", "--tag", "messaging")
    assert made.exit_code == 0, made.output
    assert made.stderr.startswith("stopped kind cursor, tag messaging, action delete until ")
    (stop,) = Stops(settings.parent / "state").standing().stops
    assert (stop.kind, stop.name, stop.also) == ("kind", "cursor", {"tag": "messaging", "action": "delete"})
    (shown,) = run("list", "--config", str(settings)).stdout.splitlines()
    assert json.loads(shown)["also"] == {"tag": "messaging", "action": "delete"}


@pytest.mark.parametrize("given", ["a-sealed-session-id", session_digest("a-sealed-session-id")])
def test_a_session_is_named_by_its_id_or_by_its_digest_in_the_journal(settings: Path, given: str) -> None:
    assert stopped(settings, "--session", given).exit_code == 0
    (stop,) = Stops(settings.parent / "state").standing().stops
    assert (stop.kind, stop.name) == ("session", session_digest("a-sealed-session-id"))


def test_a_hub_gets_every_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[dict[str, object]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        named = {"id": "stop-1", "kind": "kind", "name": "cursor", "until_unix_ns": 1, "because": "x", "by": "a"}
        return httpx.Response(201, json=named | {"at": "", "also": {"action": "delete"}})

    transport = httpx.MockTransport(answer)
    monkeypatch.setattr("gateway.cli.publishing.hub_client.httpx.Client", partial(httpx.Client, transport=transport))
    monkeypatch.setenv("MCP_HUB_TOKEN", "mcpa_x")
    hub = ("--for", "4h", "--because", "x", "--hub", "https://hub.example.com")
    assert run("--action", "delete", "--kind", "cursor", *hub).exit_code == 0
    assert run("--agent", "bot", *hub).exit_code == 0
    assert [(one["kind"], one["name"], one.get("also")) for one in sent] == [
        ("kind", "cursor", {"action": "delete"}),
        ("agent", "bot", None),
    ]


def test_a_dry_run_says_what_it_cannot_know_of_a_hub_and_stops_nothing(settings: Path) -> None:
    of_hub = run("--agent", "bot", "--dry-run", "--hub", "https://hub.example.com")
    assert (of_hub.exit_code, "A hub does not know" in of_hub.stderr) == (1, True)
    for words in ((), ("--config", str(settings)), ("--agent", "A b", "--config", str(settings)), ("--agent", "bot")):
        assert run("--dry-run", *words).exit_code != 0
    assert not (settings.parent / "state").exists()


def test_a_policy_in_force_that_cannot_enforce_a_stop_makes_none(
    settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = pack(
        {"mcp/lib/emergency/emergency.rego": b"v1"}, BundleMetadata(environment="dev", seq=3), key=None
    ).content
    monkeypatch.setattr("gateway.cli.local_stops.kept_policy", lambda _: earlier)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    refused = stopped(settings, "--kind", "cursor")
    assert (refused.exit_code, "would refuse more than this" in refused.stderr) == (1, True)
    assert not (settings.parent / "state").exists()
    assert stopped(settings, "--agent", "bot").exit_code == 0
