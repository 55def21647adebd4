"""Stops are bounded, named and reasoned; their bundle holds data of one root and nothing else."""

import orjson
import pytest
from msgspec.structs import replace

from gateway.bundle.artefact import Artefact, read_artefact
from gateway.bundle.emergency import Stop, emergency_bundle, fault
from gateway.bundle.signing import ephemeral_key
from gateway.bundle.verifying import EMERGENCY, POLICY, VerifyingKey, unsigned_by

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
    ],
)
def test_a_reasoned_and_bounded_stop_may_be(changes: dict[str, object]) -> None:
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
    ],
)
def test_any_other_may_not(changes: dict[str, object]) -> None:
    assert fault(replace(STOP, **changes), NOW) != ""


def test_the_bundle_is_signed_for_its_own_use_and_owns_one_root() -> None:
    key = ephemeral_key()
    artefact = read_artefact(emergency_bundle([STOP], 7, key).content)
    assert isinstance(artefact, Artefact)
    keys = [VerifyingKey(keyid=key.keyid, pem=key.public_pem)]
    assert unsigned_by(artefact, keys, EMERGENCY) is None
    assert unsigned_by(artefact, keys, POLICY) is not None
    assert artefact.manifest.roots == ("emergency",)
    assert artefact.files.keys() == {".manifest", "data.json"}
    data = orjson.loads(artefact.files["data.json"])
    assert data["emergency"]["agent"]["bot"][0]["because"] == "it deletes"
    assert all(data["emergency"][kind][""] == [] for kind in ("agent", "principal", "server", "target"))
