"""The generated half of the combiner depends only on the requirements."""

import pytest

from gateway.policy.rego.caller_reads import CallerReads
from gateway.policy.rego.combiner import CombinedRequirement, combined, is_standing

A = CombinedRequirement("a", by_arguments=False, standing=True)
B = CombinedRequirement("b", by_arguments=True, standing=False)


def test_every_requirement_has_its_static_lines() -> None:
    assert combined([B, A]).partition("package ")[2] == (
        "mcp.admission\n"
        '\nnames := {\n\t"a",\n\t"b",\n}\n'
        "\nmet if {\n\tdata.mcp.requirements.a.met == true\n\tdata.mcp.requirements.b.met == true\n}\n"
        "\nmet_by_arguments if {\n\tdata.mcp.requirements.b.met_by_arguments == true\n}\n"
        '\nunmet_standing contains "a" if not data.mcp.requirements.a.met == true\n'
        '\nunmet_varying contains "b" if not data.mcp.requirements.b.met == true\n'
        '\nunmet_by_arguments contains "b" if not data.mcp.requirements.b.met_by_arguments == true\n'
        '\nbecause("a") := data.mcp.requirements.a.because\n'
        '\nbecause("b") := data.mcp.requirements.b.because\n'
    )


def test_a_requirement_that_reads_claims_does_not_hold_without_them() -> None:
    reading = CombinedRequirement("a", by_arguments=True, standing=True, caller=CallerReads(("groups",), ('te"am',)))
    read = r'data.mcp.lib.principal.is_read(["groups"], ["te\"am"])'
    text = combined([reading])
    assert f"\nmet if {{\n\tdata.mcp.requirements.a.met == true\n\t{read}\n}}\n" in text
    assert "\nmet_by_arguments if {\n\tdata.mcp.requirements.a.met_by_arguments == true\n}\n" in text
    assert f'\nunmet_standing contains "a" if not {read}\n' in text
    unread = read.replace("is_read", "unread")
    assert text.endswith(f'("a") := {unread} if {{\n\tnot {read}\n}} else := data.mcp.requirements.a.because\n')


def test_the_order_of_requirements_does_not_matter() -> None:
    assert combined([A, B]) == combined([B, A])


@pytest.mark.parametrize(
    ("requirement", "absent"), [(A, "unmet_varying"), (B, "unmet_standing"), (A, "unmet_by_arguments")]
)
def test_a_set_without_members_is_defined_all_the_same(requirement: CombinedRequirement, absent: str) -> None:
    assert f'\n{absent} contains "" if false\n' in combined([requirement])


@pytest.mark.parametrize(
    ("reads", "standing"),
    [
        ([], True),
        (["data.agents", "input.principal.method", "input.server.id", "input.context.time.unix_ns"], True),
        (["input.target.type"], False),
        (["input.message.kind"], False),
        (["input.definition.sha256"], False),
        (["input.something_new"], False),
        (["input"], False),
    ],
)
def test_a_requirement_that_does_not_read_the_item_is_standing(reads: list[str], *, standing: bool) -> None:
    assert is_standing(reads) is standing
