"""A policy repository with a stock library of two requirements, for the tests of the build."""

import json
import subprocess
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.opa.binary import find
from gateway.policy.build import Builder, PolicySource

NOW = 1_795_000_000.0

STOCK = {
    "mcp/admission/combiner.rego": """
        package mcp.admission

        decision := {
        \t"schema": "mcp.decision/v1",
        \t"outcome": outcome,
        \t"reasons": [{"requirement": name, "message": name, "because": because(name)} | some name in refused],
        \t"grounds": [],
        \t"resolved": {},
        }

        default outcome := "deny"

        outcome := "allow" if count(refused) == 0

        refused contains name if some name in unmet_standing

        refused contains name if some name in unmet_varying

        refused contains name if some name in unmet_by_arguments
        """,
    "mcp/lib/catalog/catalog.rego": """
        package mcp.lib.catalog

        listed if data.catalog.servers[input.server.id]
        """,
    "mcp/requirements/server_is_listed/server_is_listed.rego": """
        # METADATA
        # title: The server is listed
        # description: Only servers of the catalog are reached.
        # custom: {severity: high, remedy: List the server in the catalog.}
        package mcp.requirements.server_is_listed

        import data.mcp.lib.catalog

        met if catalog.listed

        because contains sprintf("%s is not listed", [input.server.id]) if not catalog.listed
        """,
    "mcp/requirements/server_is_listed/server_is_listed_test.rego": """
        package mcp.requirements.server_is_listed_test

        import data.mcp.requirements.server_is_listed

        test_listed_is_met if {
        \tserver_is_listed.met with input as {"server": {"id": "a"}} with data.catalog.servers as {"a": {}}
        }

        test_unlisted_is_not_met if {
        \tnot server_is_listed.met with input as {"server": {"id": "b"}} with data.catalog.servers as {"a": {}}
        }
        """,
}

POLICY = {
    "bundles/dev/environment.yaml": "name: dev\n",
    "bundles/dev/catalog/files.yaml": """
        server: files
        url: http://127.0.0.1:9000/mcp
        owner: alice@example.com
        tools:
          read_file: {action: read}
        """,
    "bundles/dev/agents/bot.yaml": """
        agent: bot
        owner: alice@example.com
        purpose: Reads files
        kind: claude-code
        """,
    "bundles/dev/rules/rules.yaml": """
        rules:
          - rule: bot-reads
            effect: allow
            who: {agents: [bot]}
            what: {servers: [files], actions: [read, list]}
            reason: It is what the bot is for.
            owner: alice@example.com
        """,
}


def write(root: Path, path: str, text: str) -> Path:
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(textwrap.dedent(text).lstrip("\n"))
    return place


@pytest.fixture(scope="session")
def opa() -> Path:
    found = find()
    assert found is not None, "OPA is not on this machine: run `make opa`"
    return found


@pytest.fixture(scope="session")
def capabilities(opa: Path) -> str:
    ran = subprocess.run([opa, "capabilities", "--current"], capture_output=True, check=True)
    known = json.loads(ran.stdout)
    banned = {"http.send", "time.now_ns", "opa.runtime", "rand.intn", "uuid.rfc4122", "net.lookup_ip_addr"}
    known["builtins"] = [each for each in known["builtins"] if each["name"] not in banned]
    known["allow_net"] = []
    return json.dumps(known)


@pytest.fixture
def stock(tmp_path: Path, capabilities: str) -> Path:
    root = tmp_path / "stock"
    for path, text in STOCK.items():
        write(root, path, text)
    write(root, "capabilities.json", capabilities)
    return root


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    root = tmp_path / "policy"
    for path, text in POLICY.items():
        write(root, path, text)
    return root


@pytest.fixture
def builder(tmp_path: Path, opa: Path, stock: Path) -> Builder:
    return Builder(tmp_path / "state", opa, stock=stock)


@pytest.fixture
def source(policy: Path) -> PolicySource:
    return PolicySource(policy, "dev")


@pytest.fixture
def put(policy: Path) -> Callable[[str, str], Path]:
    return lambda path, text: write(policy, path, text)
