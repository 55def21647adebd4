"""A bundle names the first gateway that does what its policy asks for."""

from typing import Any

import pytest

from gateway.bundle.lowest_gateway import lowest_gateway


def data(environment: dict[str, Any], server: dict[str, Any]) -> dict[str, Any]:
    return {"environment": environment, "catalog": {"servers": {"s": server, "t": {}}}}


@pytest.mark.parametrize(
    ("environment", "server", "lowest"),
    [
        ({}, {}, "0.1.0"),
        ({"check_schemas": "lenient"}, {"check_output": False, "instructions": None}, "0.1.0"),
        ({"check_schemas": "strict"}, {}, "0.2.0"),
        ({}, {"check_output": True}, "0.2.0"),
        ({}, {"instructions": {"sha256": "00"}}, "0.2.0"),
    ],
)
def test_a_bundle_needs_the_gateway_that_knows_its_settings(
    environment: dict[str, Any], server: dict[str, Any], lowest: str
) -> None:
    assert lowest_gateway(data(environment, server)) == lowest


@pytest.mark.parametrize("damaged", [{}, {"environment": 1, "catalog": []}, {"catalog": {"servers": {"s": None}}}])
def test_damaged_data_needs_no_newer_gateway(damaged: dict[str, Any]) -> None:
    assert lowest_gateway(damaged) == "0.1.0"
