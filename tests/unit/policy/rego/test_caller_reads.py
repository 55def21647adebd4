"""The caller's claims that own requirements read are also found under other names."""

from pathlib import Path

import pytest

from gateway.policy.rego.caller_reads import CallerReads, caller_reads
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.rego.rego_module import Parser
from tests.unit.policy.rego.forms_of_requirements import HEAD

GROUPS = CallerReads(fields=("groups",))


def read(opa: Path, scratch: Path, text: str) -> CallerReads:
    place = scratch / "mcp/requirements/x/x.rego"
    place.parent.mkdir(parents=True)
    place.write_text(HEAD + text + "\n")
    modules, problems = Parser(OpaCommand(opa)).parse({"mcp/requirements/x/x.rego": place.read_bytes()}, scratch)
    assert not problems, problems
    return caller_reads(modules, {})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('met if "staff" in input.principal.groups', GROUPS),
        ('met if "staff" in principal.groups', GROUPS),
        ('met if {\n\tp := input.principal\n\tevery g in p.groups { g != "x" }\n}', GROUPS),
        ('met if {\n\ti := input\n\tevery g in i.principal.groups { g != "x" }\n}', GROUPS),
        ('met if _ok(input.principal)\n\n_ok(who) if every g in who.groups { g != "x" }', GROUPS),
        ('met if _ok(input)\n\n_ok(asked) if asked.principal.claims.team == "x"', CallerReads(claims=("team",))),
        ('met if {\n\tp := input.principal\n\tp.subject == "x"\n}', CallerReads(fields=("subject",))),
        ('met_by_arguments if _ok(input.arguments)\n\n_ok(of) if of.groups == ["x"]', CallerReads()),
        ("met if {\n\tp := input.principal\n\tp.kind == input.arguments.groups\n}", CallerReads()),
    ],
)
def test_the_claims_that_a_requirement_reads_are_found(
    opa: Path, tmp_path: Path, text: str, found: CallerReads
) -> None:
    assert read(opa, tmp_path, text) == found
