"""A stop of a name in no bundle causes a warning, so that a typo does not look like success."""

from typing import Any, Final

import pytest

from gateway.artifact.artifact import read_artifact
from gateway.artifact.bundle_data import data_of
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import canonical, pack
from gateway.artifact.stops_bundle import Kind
from gateway.hub.stop_names_check import unborne
from gateway.hub.stop_store import new_stop
from tests.unit.hub.conftest import Inside

SERVER: Final[dict[str, Any]] = {
    "tags": ["messaging"],
    "url": "u",
    "owner": "o",
    "definition_drift": {},
    "server_requests": [],
}
TARGETS: Final[dict[str, Any]] = {
    "tools": {"send": {}},
    "prompts": {"greet": {}},
    "resources": {"mail://all": {}},
    "resource_prefixes": [{"prefix": "file:///shared/"}],
    "tasks": None,
}
AGENT: Final[dict[str, Any]] = {
    "owner": "o",
    "kind": "cursor",
    "labels": ["support"],
    "scope": {"servers": [], "actions": []},
    "expires": None,
}
DATA: Final[dict[str, Any]] = {
    "environment": {},
    "required": [],
    "enforcement": {},
    "catalog": {"servers": {"mail": SERVER}, "targets": {"mail": TARGETS}},
    "agents": {"bot": AGENT},
    "rules": {},
    "own": {},
    "index": {"credentials": {}, "identities": {}},
    "requirements": {},
}
KNOWN: Final[list[tuple[Kind, str]]] = [
    ("agent", "bot"),
    ("server", "mail"),
    ("target", "mail/send"),
    ("target", "mail/greet"),
    ("target", "mail/mail://all"),
    ("target", "mail/file:///shared/a"),
    ("principal", "eve"),
    ("kind", "cursor"),
    ("label", "support"),
    ("tag", "messaging"),
    ("group", "staff"),
    ("session", "00112233445566778899aabbccddeeff"),
    ("action", "delete"),
]
MISTYPED: Final[list[tuple[Kind, str]]] = [
    ("agent", "bto"),
    ("server", "mial"),
    ("target", "mail/sned"),
    ("target", "mial/send"),
    ("target", "mail/file:///private/a"),
    ("kind", "crusor"),
    ("label", "suport"),
    ("tag", "mesaging"),
]


def carrying(data: dict[str, Any]) -> bytes:
    metadata = BundleMetadata(environment="test", seq=1, not_after="2099-01-01T00:00:00Z")
    return pack({"data.json": canonical(data)}, metadata, key=None).content


def told(kind: Kind, name: str, *bundles: bytes) -> str:
    return unborne(new_stop({kind: name}, for_s=60, because="x", about=("a", 0)), bundles)


def test_the_data_of_these_tests_have_the_form_of_a_bundle() -> None:
    artifact: Any = read_artifact(carrying(DATA))
    assert data_of(artifact) == DATA


@pytest.mark.parametrize(("kind", "name"), KNOWN)
def test_listed_and_unlistable_names_cause_no_warning(kind: Kind, name: str) -> None:
    assert told(kind, name, carrying(DATA)) == ""
    assert (
        told(kind, name, carrying({**DATA, "agents": {}, "catalog": {"servers": {}, "targets": {}}}), carrying(DATA))
        == ""
    )


@pytest.mark.parametrize(("kind", "name"), MISTYPED)
def test_a_name_in_no_bundle_causes_a_warning(kind: Kind, name: str) -> None:
    assert told(kind, name, carrying(DATA)) == f"no bundle in force lists the {kind} {name!r}"


@pytest.mark.parametrize("bundles", [(), (b"no bundle",), (carrying({"own": {}}),), (carrying(DATA), b"no bundle")])
def test_an_unreadable_bundle_causes_no_warning(bundles: tuple[bytes, ...]) -> None:
    assert told("agent", "bto", *bundles) == ""


async def test_a_stop_of_an_unknown_name_stays_active_with_a_warning(inside: Inside) -> None:
    metadata = BundleMetadata(environment="test", seq=1, not_after="2099-01-01T00:00:00Z")
    await inside.publish(pack({"data.json": canonical(DATA)}, metadata, key=inside.ground.key).content)
    wanted = {"kind": "agent", "name": "bto", "for_s": 60, "because": "x"}
    made = (await inside.call("responder", "POST", "/v1/stops", json=wanted)).json()
    assert made.pop("unborne") == "no bundle in force lists the agent 'bto'"
    assert (await inside.call("reader", "GET", "/v1/stops")).json()["stops"] == [made]
    right = (await inside.call("responder", "POST", "/v1/stops", json={**wanted, "name": "bot"})).json()
    assert "unborne" not in right


EARLIER: Final = {"mcp/lib/emergency/emergency.rego": b'schema == "mcp.emergency/v1"'}
NEWER: Final = {"mcp/lib/emergency/emergency.rego": b'schema == "mcp.emergency/v2"'}


def with_library(files: dict[str, bytes]) -> Any:
    metadata = BundleMetadata(environment="test", seq=1, not_after="2099-01-01T00:00:00Z")
    return metadata, {"data.json": canonical(DATA), **files}


@pytest.mark.parametrize(
    ("files", "more", "status"), [(EARLIER, True, 409), (NEWER, True, 201), (EARLIER, False, 201), ({}, True, 409)]
)
async def test_a_stop_that_a_policy_in_force_would_take_for_a_wider_one_is_refused(
    inside: Inside, files: dict[str, bytes], more: bool, status: int
) -> None:
    metadata, content = with_library(files)
    await inside.publish(pack(content, metadata, key=inside.ground.key).content)
    wanted: dict[str, Any] = {"kind": "agent", "name": "bot", "for_s": 60, "because": "x"}
    wanted |= {"also": {"action": "delete"}} if more else {}
    made = await inside.call("responder", "POST", "/v1/stops", json=wanted)
    assert made.status_code == status
    if status == 409:
        assert made.json()["code"] == "stop_not_enforceable"
        assert "would refuse more" in made.json()["error"]
        assert (await inside.call("reader", "GET", "/v1/stops")).json()["stops"] == []


async def test_each_unlisted_selector_causes_a_warning(inside: Inside) -> None:
    metadata, content = with_library(NEWER)
    await inside.publish(pack(content, metadata, key=inside.ground.key).content)
    wanted = {
        "kind": "agent",
        "name": "bot",
        "for_s": 60,
        "because": "x",
        "also": {"tag": "mesaging", "kind": "cursor"},
    }
    made = (await inside.call("responder", "POST", "/v1/stops", json=wanted)).json()
    assert made["unborne"] == "no bundle in force lists the tag 'mesaging'"
    assert (made["kind"], made["also"]) == ("agent", {"kind": "cursor", "tag": "mesaging"})
