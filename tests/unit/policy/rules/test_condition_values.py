"""Hosts, domains and roots that no argument can have are refused, and the error shows the right form."""

import pytest

from gateway.policy.rules.condition_values import condition_values
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem
from gateway.policy.sources.schema_checks import violations


def problems(condition: str) -> list[Problem]:
    text = f"rules:\n  - rule: r\n    effect: deny\n    arguments:\n      - {condition}\n"
    document = read_document("rules/r.yaml", text.encode())
    assert isinstance(document, Document), document
    assert violations(document, "rules") == []
    return list(
        condition_values(
            Environment(
                name="dev",
                settings=document,
                catalog=(),
                agents=(),
                rules=(document,),
                enforcement=(),
                scenarios=(),
                own=(),
            )
        )
    )


@pytest.mark.parametrize(
    "test",
    [
        "host: [api.example.com, '*.example.com', 192.0.2.1, '2001:db8::1', localhost, xn--bcher-kva.example]",
        "domain: [example.com, '*.example.com', xn--bcher-kva.example]",
        "within: [/reports, /, ., reports/2026, /a b/c]",
        "any_element: {not: {any_element: {domain: [example.com]}}}",
        "not: {absent: true}",
    ],
)
def test_forms_that_arguments_can_have_are_accepted(test: str) -> None:
    assert problems(f"{{path: /a/0/1/2/3/4, {test}}}") == []


@pytest.mark.parametrize(
    ("test", "said", "remedy"),
    [
        ("host: ['https://api.example.com/v1']", "is not a host", "Write `api.example.com`."),
        ("host: ['https://API.example.com:8443']", "is not a host", "Write `api.example.com`."),
        ("host: ['api.example.com:8443']", "is not a host", "Write `api.example.com`."),
        ("host: ['api.example.com/v1']", "is not a host", "Write `api.example.com`."),
        ("host: ['https://u:p@api.example.com/']", "is not a host", "Write `api.example.com`."),
        ("host: [API.Example.com]", "is not a host", "Write `api.example.com`."),
        ("host: [example.com.]", "is not a host", "Write `example.com`."),
        ("host: [.example.com]", "is not a host", "Write `*.example.com`."),
        ("host: [bücher.example]", "is not a host", "Write `xn--bcher-kva.example`."),
        ("host: [Bücher.example]", "is not a host", "Write `xn--bcher-kva.example`."),
        ("host: ['*.Bücher.example']", "is not a host", "Write `*.xn--bcher-kva.example`."),
        ("host: ['[2001:db8::1]']", "is not a host", "Write `2001:db8::1`."),
        ("host: ['2001:DB8::1']", "is not a host", "Write `2001:db8::1`."),
        ("host: ['api.example.com/24']", "networks are not supported", "Write a name such as"),
        ("host: ['*']", "is not a host", "Write a name such as"),
        ("host: ['*example.com']", "is not a host", "Write a name such as"),
        ("host: ['api.*.com']", "is not a host", "Write a name such as"),
        ("host: ['*.0.2.1']", "is not a host", "Write a name such as"),
        ("host: ['192.0.2.0/24']", "networks are not supported", "Write a name such as"),
        ("host: ['127.1']", "is not a host", "Write a name such as"),
        ("host: [alice@example.com]", "contains an `@`", "Write `domain: example.com`."),
        ("domain: ['@example.com']", "is not the domain", "Write `example.com`."),
        ("domain: [alice@Example.com]", "is not the domain", "Write `example.com`."),
        ("domain: ['*@example.com']", "is not the domain", "Write `example.com`."),
        ("domain: ['https://example.com/']", "is not the domain", "Write `example.com`."),
        ("domain: [192.0.2.1]", "is not the domain", "Write a name such as"),
        ("within: [/reports/]", "is not a normal path", "Write `/reports`."),
        ("within: [/reports/../etc]", "is not a normal path", "Write `/etc`."),
        ("within: [./reports]", "is not a normal path", "Write `reports`."),
        ("within: [//reports]", "is not a path that all programs interpret in the same way", "Write it without"),
        ("within: [../reports]", "is not a path that all programs interpret in the same way", "Write it without"),
        ("within: ['C:/reports']", "is not a path that all programs interpret in the same way", "Write it without"),
        ("within: [~/reports]", "is not a path that all programs interpret in the same way", "Write it without"),
        ("any_element: {absent: true}", "`absent` never holds", "Remove it"),
        ("none_of: [{every_element: {not: {absent: true}}}]", "`absent` never holds", "Remove it"),
        ("not: {not: {not: {not: {equals: 1}}}}", "deeper than 4 levels", "several conditions"),
        ("any_element: {none_of: [{not: {every_element: {prefix: a}}}]}", "deeper than 4 levels", "several conditions"),
    ],
)
def test_a_form_that_no_argument_has_is_refused_with_the_one_to_write(test: str, said: str, remedy: str) -> None:
    (problem,) = problems(f"{{path: /to, {test}}}")
    assert problem.line == 5
    assert said in problem.what
    assert remedy in problem.remedy


def test_a_path_of_many_numbers_is_refused() -> None:
    (problem,) = problems("{path: /0/1/2/3/4/5, equals: 1}")
    assert "more than 5 numbers" in problem.what
