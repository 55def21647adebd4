"""An own requirement that reads a claim does not hold while the claim is unknown, also if it forgets to ask."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.admission.principal import Principal
from gateway.policy.build import Content
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking
from gateway.policy.scenario_question import ActingCaller, asked, question

Write = Callable[[str, str], Path]
NOW = 1_795_000_000.0
AGENT = """
    agent: bob
    owner: o
    purpose: p
    kind: k
    identities: [{issuer: https://i, subject: bob}]
    """


def requirement(condition: str, imports: str = "") -> str:
    """Return a requirement that forgets the claim in one of two cases."""
    return f"""
        # METADATA
        # title: No contractor
        # description: The caller is no contractor.
        # custom:
        #   severity: high
        #   remedy: Ask an employee.
        package mcp.requirements.no_contractor

        {imports}

        met if {condition}

        met if input.server.id == "demo"
        """


TEST = """
    package mcp.requirements.no_contractor_test

    import data.mcp.requirements.no_contractor

    test_it_reads if no_contractor.met with input as {
        "principal": {"claims": {"x": 1}, "groups": []},
        "server": {"id": "demo"},
        "target": {"type": "none"},
    }
    """
HELPER = """
    package mcp.lib.own.people

    is_employee if input.principal.claims.contractor == false
    """


def lay(put: Write, condition: str, imports: str = "") -> None:
    put("bundles/dev/agents/bob.yaml", AGENT)
    put("rego/mcp/requirements/no_contractor/no_contractor.rego", requirement(condition, imports))
    put("rego/mcp/requirements/no_contractor/no_contractor_test.rego", TEST)


def caller(**more: Any) -> Principal:
    return Principal(kind="user", method="jwt", issuer="https://i", subject="bob", **more)


@pytest.mark.parametrize(
    ("condition", "imports", "known", "name"),
    [
        ("input.principal.claims.contractor == false", "", {"contractor": False}, "contractor"),
        (
            'input.principal.claims["https://i.example/x"] == 1',
            "",
            {"https://i.example/x": 1},
            "https://i.example/x",
        ),
        ("people.is_employee", "import data.mcp.lib.own.people", {"contractor": False}, "contractor"),
        ("data.mcp.lib.own.people.is_employee", "", {"contractor": False}, "contractor"),
    ],
)
def test_a_claim_that_is_absent_refuses(
    condition: str,
    imports: str,
    known: dict[str, Any],
    name: str,
    put: Write,
    content: Callable[[], Content],
    opa: Path,
) -> None:
    if "people" in condition:
        put("rego/mcp/lib/own/people/people.rego", HELPER)
    lay(put, condition, imports)
    made = content()
    stated = asked({"agent": "bob", "server": "demo", "tool": "read_file", "arguments": {"path": "a"}}, now=NOW)
    service = Principal(kind="service", method="none")
    callers = [caller(claims=known), caller(claims={}), caller(claims={name: None}), service]
    questions = [question(stated, ActingCaller(each, ""), made.data) for each in callers]
    found = asking(made, OpaCommand(opa), []).rulings(questions)
    reasons = [[(each.requirement, each.message) for each in ruled.enforced.reasons] for ruled in found]
    said = f"The token has no claim `{name}`, which this requirement reads: its issuer must add it"
    assert ["no_contractor" in dict(each) for each in reasons] == [False, True, True, False]
    assert ("no_contractor", said) in reasons[1]
    assert ("no_contractor", said) in reasons[2]


@pytest.mark.parametrize(
    ("condition", "imports"),
    [
        ('"staff" in input.principal.groups', ""),
        ('"staff" in principal.groups', "import data.mcp.lib.principal"),
    ],
)
def test_groups_that_are_unknown_refuse(
    condition: str, imports: str, put: Write, content: Callable[[], Content], opa: Path
) -> None:
    lay(put, condition, imports)
    made = content()
    stated = asked({"agent": "bob", "server": "demo", "tool": "read_file", "arguments": {"path": "a"}}, now=NOW)
    questions = [question(stated, ActingCaller(each, ""), made.data) for each in (caller(), caller(unknown=["groups"]))]
    reasons = [
        [each.requirement for each in ruled.enforced.reasons]
        for ruled in asking(made, OpaCommand(opa), []).rulings(questions)
    ]
    assert ["no_contractor" in each for each in reasons] == [False, True]


def test_what_reads_no_claims_is_not_touched(put: Write, content: Callable[[], Content]) -> None:
    lay(put, "call.targetless", "import data.mcp.lib.call")
    assert b"principal.is_read" not in content().files["mcp/admission/requirements.rego"]
