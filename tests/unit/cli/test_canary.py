"""The output and the errors of `canary`, with a fake hub."""

import json
from functools import partial
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

ASSIGNED: dict[str, Any] = {"channel": "canary", "instead_of": "production", "labels": {"ring": "first"}}


def listed(monkeypatch: pytest.MonkeyPatch, assignments: list[dict[str, Any]]) -> Result:
    transport = httpx.MockTransport(
        lambda asked: httpx.Response(200, json=assignments if asked.method == "GET" else None)
    )
    monkeypatch.setattr("gateway.cli.publishing.hub_client.httpx.Client", partial(httpx.Client, transport=transport))
    monkeypatch.setenv("MCP_HUB_TOKEN", "mcpa_x")
    return CliRunner().invoke(main, ["canary", "list", "--hub", "https://hub.example.com"])


def test_the_gateways_with_the_canary_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    result = listed(monkeypatch, [ASSIGNED])
    assert (result.exit_code, json.loads(result.stdout)) == (0, ASSIGNED)


def test_a_canary_without_gateways_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    result = listed(monkeypatch, [])
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "",
        "All gateways follow the channel of their settings.\n",
    )
