"""The bundle configuration of a managed OPA."""

from typing import Any

import pytest
from msgspec.structs import replace

from gateway.opa.configuration import BOOT, BundleSource, EmergencySource, configuration
from gateway.opa.revision_gate import MANIFEST

POLICY = BundleSource(url="http://h", resource="p", token="t", keyid="policy-key", public_key="P")
BOTH = replace(POLICY, emergency=EmergencySource(resource="e", keyid="stops-key", public_key="E"))


def test_policy_and_stops_are_two_bundles_with_a_key_and_a_use_each() -> None:
    told: Any = configuration(BOTH)
    assert told["bundles"]["policy"]["signing"] == {"keyid": "policy-key"}
    assert told["bundles"]["emergency"]["signing"] == {"keyid": "stops-key", "scope": "emergency"}
    assert told["bundles"]["emergency"]["resource"] == "e"
    assert {name: key["key"] for name, key in told["keys"].items()} == {"policy-key": "P", "stops-key": "E"}


@pytest.mark.parametrize("source", [POLICY, BOTH])
def test_no_bundle_is_without_a_keyid(source: BundleSource) -> None:
    told: Any = configuration(source)
    assert all(bundle["signing"]["keyid"] in told["keys"] for bundle in told["bundles"].values())
    assert "emergency" not in configuration(POLICY)["bundles"]


def test_the_manifest_is_the_only_data_that_can_be_read() -> None:
    steps = ", ".join(f'"{step}"' for step in MANIFEST[1:].split("/"))
    assert f"[{steps}]" in BOOT
    assert BOOT.count('"GET"') == 3
