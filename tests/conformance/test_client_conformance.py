"""The suite's scenarios for clients, with the official SDK as the client: directly, and with the gateway between.

Scenarios of authorization are left out: they are about the client and its authorization server, and a gateway is a
resource server of its own.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests.conformance.client import server_id
from tests.conformance.forwarder import forwarder
from tests.conformance.suite import client_scenarios, columns, differences, run_client, scored
from tests.running import catalog, running

pytestmark = pytest.mark.environment("node")

PASSED: Final = {"2025-11-25": 20, "2026-07-28": 64}
INVALID: Final = (
    "invalid_empty_header",
    "invalid_object_header",
    "invalid_array_header",
    "invalid_null_header",
    "invalid_number_header",
    "invalid_duplicate_same_case",
    "invalid_duplicate_diff_case",
    "invalid_space_in_name",
    "invalid_colon_in_name",
    "invalid_non_ascii_name",
    "invalid_control_char_name",
)
SERVERS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "initialize": ("", ()),
    "tools_call": ("/mcp", ("add_numbers",)),
    "elicitation-sep1034-client-defaults": ("/mcp", ("test_client_elicitation_defaults",)),
    "sse-retry": ("", ("test_reconnection",)),
    "request-metadata": ("", ()),
    "sep-2322-client-request-state": (
        "/mcp",
        ("test_mrtr_echo_state", "test_mrtr_unrelated", "test_mrtr_no_state", "test_mrtr_no_result_type"),
    ),
    "http-standard-headers": ("", ("test_headers", "my-hyphenated-tool")),
    "http-custom-headers": ("", ("test_custom_headers", "test_custom_headers_null")),
    "http-invalid-tool-headers": ("", ("valid_tool", *INVALID)),
    "json-schema-ref-no-deref": ("/mcp", ("lookup_user",)),
    "json-schema-2020-12-preservation": ("/mcp", ("json_schema_2020_12_tool", "json_schema_echo")),
}
"""Where each scenario has its server, and the tools that it offers."""


NULLS: Final = {
    "enforcement": {
        "arguments_match_the_schema": {
            "mode": "warn",
            "owner": "test@example.com",
            "reason": "a scenario sends null where the schema of its own tool wants a boolean",
            "expires": "2099-01-01T00:00:00Z",
        }
    }
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def through(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Mapping[str, str]]:
    """What tells our client to go through a gateway that allows everything."""
    root = tmp_path_factory.mktemp("gateway")
    async with forwarder() as way:
        servers = {server_id(scenario): _entry(scenario, way.port) for scenario in SERVERS}
        async with running(root, servers=servers, files={"enforcement/nulls.yaml": NULLS}) as gateway:
            yield {"CONFORMANCE_GATEWAY": f"{way.control} {gateway.origin}"}


def _entry(scenario: str, port: int) -> dict[str, Any]:
    path, tools = SERVERS[scenario]
    return catalog(
        server_id(scenario),
        f"http://127.0.0.1:{port}{path}",
        tools={name: {"action": "execute"} for name in tools},
        prompts={"test_prompt": {"action": "read"}},
        resources={"file://*": {"action": "read"}, "test://*": {"action": "read"}},
    )


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("requirements", PASSED)
async def test_the_gateway_changes_no_check_of_the_official_suite_for_clients(
    requirements: str, through: Mapping[str, str], tmp_path: Path
) -> None:
    direct, gateway = await asyncio.gather(
        run_client(requirements, tmp_path / "direct", {}), run_client(requirements, tmp_path / "gateway", through)
    )
    print(f"\n{columns(f'{requirements}, clients', scored(requirements, 'client'), direct, gateway)}")  # noqa: T201 - the columns are what `make conformance` is for
    assert direct.scenarios == set(client_scenarios(requirements)), direct.said[-4000:]
    assert direct.passed(direct.scenarios) == PASSED[requirements]
    assert differences(direct, gateway) == [], gateway.said[-4000:]
    assert (direct.code, gateway.code) == (0, 0), gateway.said[-4000:]
