"""Stops have a bounded length, valid names and a reason; their bundle contains only the data of one root."""

import orjson
import pytest
from msgspec.structs import replace

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.signature_checks import EMERGENCY, POLICY, VerifyingKey, unsigned_by
from gateway.artifact.signing import ephemeral_key
from gateway.artifact.stops_bundle import (
    FIRST,
    KINDS,
    NEWER,
    Kind,
    Stop,
    document,
    emergency_bundle,
    fault,
    indexed,
    is_extended,
    selected,
)

NOW = 1_795_000_000_000_000_000
HOUR = 3_600_000_000_000
STOP = Stop(
    id="s1",
    kind="agent",
    name="bot",
    until_unix_ns=NOW + HOUR,
    because="it deletes",
    by="alice",
    at="2026-11-28T12:00:00Z",
)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"until_unix_ns": NOW + 24 * HOUR},
        {"kind": "principal", "name": "https://idp.example#alice"},
        {"kind": "server", "name": "slack"},
        {"kind": "target", "name": "slack/post_message"},
        {"kind": "session", "name": "00112233445566778899aabbccddeeff"},
        {"kind": "group", "name": "https://idp.example#staff"},
        {"kind": "label", "name": "support"},
        {"kind": "kind", "name": "cursor"},
        {"kind": "tag", "name": "messaging"},
        {"kind": "action", "name": "delete"},
        {"also": {"action": "delete", "server": "slack"}},
    ],
)
def test_a_stop_with_a_reason_and_a_bounded_length_is_accepted(changes: dict[str, object]) -> None:
    assert fault(replace(STOP, **changes), NOW) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"until_unix_ns": NOW + 24 * HOUR + 1},
        {"until_unix_ns": NOW},
        {"because": " "},
        {"name": ""},
        {"name": "Bot"},
        {"kind": "target", "name": "slack"},
        {"kind": "principal", "name": "a b"},
        {"kind": "session", "name": "0011"},
        {"kind": "action", "name": "deletes"},
        {"kind": "kind", "name": ""},
        {"also": {"action": "deletes"}},
        {"also": {"agent": "other"}},
    ],
)
def test_any_other_stop_is_refused(changes: dict[str, object]) -> None:
    assert fault(replace(STOP, **changes), NOW) != ""


def test_an_emergency_bundle_has_its_own_scope_and_one_root() -> None:
    key = ephemeral_key()
    artifact = read_artifact(emergency_bundle([STOP], 7, key).content)
    assert isinstance(artifact, Artifact)
    keys = [VerifyingKey(keyid=key.keyid, pem=key.public_pem)]
    assert unsigned_by(artifact, keys, EMERGENCY) is None
    assert unsigned_by(artifact, keys, POLICY) is not None
    assert artifact.manifest.roots == ("emergency",)
    assert artifact.files.keys() == {".manifest", "data.json"}
    data = orjson.loads(artifact.files["data.json"])
    assert data["emergency"]["agent"]["bot"][0]["because"] == "it deletes"
    assert all(data["emergency"][kind][""] == [] for kind in ("agent", "principal", "server", "target"))


def test_a_document_without_newer_kinds_has_the_first_schema() -> None:
    combined = replace(STOP, also={"action": "delete"})
    assert document([STOP])["emergency"].keys() == {"schema", *FIRST}
    assert document([STOP])["emergency"]["schema"] == "mcp.emergency/v1"
    assert document([combined])["emergency"]["schema"] == "mcp.emergency/v1", (
        "earlier libraries refuse all messages of the agent"
    )
    assert "also" not in document([STOP])["emergency"]["agent"]["bot"][0]


def test_a_document_with_a_newer_kind_is_damaged_for_earlier_libraries() -> None:
    data = document([STOP, replace(STOP, kind="kind", name="cursor", also={"action": "delete"})])["emergency"]
    assert data["schema"] == "mcp.emergency/v2"
    assert data.keys() == {"schema", *KINDS}
    assert data["agent"]["bot"]
    assert data["kind"]["cursor"][0]["also"] == {"action": "delete"}


def test_a_stop_is_indexed_by_the_selector_that_earlier_libraries_know() -> None:
    chosen: dict[Kind, str] = {"action": "delete", "kind": "cursor", "server": "slack", "agent": "bot"}
    assert indexed(chosen) == ("agent", "bot", {"server": "slack", "kind": "cursor", "action": "delete"})
    assert indexed({"action": "delete", "kind": "cursor"}) == ("kind", "cursor", {"action": "delete"})


def test_an_earlier_library_can_enforce_a_single_selector_of_the_first_kinds() -> None:
    assert not any(is_extended(replace(STOP, kind=kind)) for kind in FIRST)
    assert all(is_extended(replace(STOP, kind=kind)) for kind in NEWER)
    assert is_extended(replace(STOP, also={"server": "slack"}))


def test_the_text_of_a_stop_shows_all_selectors() -> None:
    assert selected(STOP) == "agent bot"
    assert (
        selected(replace(STOP, also={"action": "delete", "server": "slack"}))
        == "agent bot, server slack, action delete"
    )


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("s/file:///docs/\u00fcber.md", "s/file:///docs/%C3%BCber.md"),
        ("s/HTTPS://Example.com:443/a", "s/https://example.com/a"),
        ("s/file://localhost/etc/passwd", "s/file:///etc/passwd"),
        ("s/FILE:/a", "s/file:///a"),
    ],
)
def test_a_stop_of_a_uri_is_indexed_by_its_normal_form(written: str, asked: str) -> None:
    stop = replace(STOP, kind="target", name=written)
    targets = document([stop])["emergency"]["target"]
    assert targets[asked] == targets[written]
    assert [one["id"] for one in targets[asked]] == [stop.id]


@pytest.mark.parametrize("name", ["slack/post_message", "s/ns:tool", "s/file:///docs/a.md", "s/Greeting World"])
def test_a_stop_of_another_target_is_indexed_by_its_name_only(name: str) -> None:
    assert document([replace(STOP, kind="target", name=name)])["emergency"]["target"].keys() == {"", name}
