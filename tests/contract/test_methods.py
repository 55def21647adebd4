"""Every method that the gateway asks about is one that policy knows, with the same kind and target."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.admission.capabilities import OF_CLIENT, OF_SERVER
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.protocol.methods import METHODS, Method

ASKED = [row for row in METHODS if row.asked != "no" and (row.direction == "client" or row.kind == "request")]
"""What a server announces is judged by the permit of the stream that it comes on."""


@pytest.fixture(scope="session")
def known(opa: Path, checkout: Path) -> dict[str, Any]:
    ran = OpaCommand(opa).run(
        "eval", "--format=raw", "--data=mcp/lib/messages", "data.mcp.lib.messages", within=checkout / "rego"
    )
    assert ran.code == 0, ran.said()
    return orjson.loads(ran.out)


@pytest.mark.parametrize("row", ASKED, ids=lambda row: f"{row.direction} {row.name}")
def test_a_method_that_is_asked_about_is_known_to_policy(known: dict[str, Any], row: Method) -> None:
    targets = {"prompt", "resource"} if row.target == "reference" else {row.target}
    entry = known["methods"].get(row.name, {"kinds": [], "targets": []})
    asked_of_the_client = row.name in known["of_server"] and row.direction == "server" and targets == {"none"}
    assert asked_of_the_client or (row.kind in entry["kinds"] and targets <= set(entry["targets"]))


def test_policy_knows_no_method_that_the_gateway_does_not(known: dict[str, Any]) -> None:
    names = {row.name for row in METHODS}
    assert set(known["methods"]) <= names
    assert set(known["of_server"]) <= {row.name for row in METHODS if row.direction == "server"}


def test_a_capability_is_asked_about_under_the_method_that_policy_knows_for_it(known: dict[str, Any]) -> None:
    assert {name: method for method, name in known["capabilities"].items()} == OF_SERVER


def test_a_request_that_stands_for_a_capability_of_clients_is_one_that_servers_make() -> None:
    assert set(OF_CLIENT.values()) <= {row.name for row in METHODS if row.direction == "server"}
