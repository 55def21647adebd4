"""What the list of open and closed forms says of each is what a real OPA decides."""

import json
import textwrap
from typing import Any, Final

import pytest

from gateway.library import library
from gateway.opa.binary import find
from gateway.policy.rego.opa_cli import OpaCommand
from tests.unit.policy.rego.forms_of_requirements import CLOSED, HEAD, LIBRARY, OPEN

_ARGUMENTS: Final = (
    *("to", "cc", "bcc", "force", "ticket", "amount", "amounts", "approved", "channel", "sql", "path"),
    *("customer", "command", "n", "a", "b"),
)
_VALUES: Final[tuple[Any, ...]] = (None, False, True, 0, 1, "", "x", [], ["x"], {})
_UNCONDITIONAL: Final = frozenset({"always", "a reason", "a target"})
"""Forms that permit without any question: they ask nothing of the message, or only whether it has a target."""


def questions() -> list[dict[str, Any]]:
    """Questions of which something is missing, or everything is of one type."""
    found: list[dict[str, Any]] = [{}, {"arguments": {}, "principal": {"groups": []}, "server": {"id": "mail"}}]
    for value in _VALUES:
        claims = {"level": value, "contractor": value}
        everything = {"principal": {"claims": claims}, "server": {"id": "mail"}}
        found.append({**everything, "arguments": dict.fromkeys(_ARGUMENTS, value)})
        found += [{"server": {"id": "mail"}, "arguments": {name: value}} for name in _ARGUMENTS]
    found.append({"server": {"id": "mail"}, "arguments": {"to": "x", "cc": []}})
    found.append({"server": {"id": "mail"}, "arguments": {"to": ["y"], "cc": []}})
    return found


@pytest.fixture(scope="module")
def permitted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[int]]:
    """Name of a form -> the numbers of the questions that it permits, with no policy data at all."""
    opa = find()
    assert opa is not None
    root = tmp_path_factory.mktemp("forms")
    (root / "mail.rego").write_text(LIBRARY)
    forms = {**OPEN, **CLOSED}
    asked: list[str] = []
    for number, (name, text) in enumerate(forms.items()):
        package = f"mcp.requirements.x{number}"
        (root / f"x{number}.rego").write_text(HEAD.replace("mcp.requirements.x", package) + text)
        rule = "met_by_arguments" if "met_by_arguments" in text else "met"
        permitted = f"[i | some i, question in input; data.{package}.{rule} with input as question]"
        asked.append(f"\t{json.dumps(name)}: {permitted},")
    body = "\n".join(asked)
    (root / "asked.rego").write_text(f"package asked\n\nanswers := {{\n{body}\n}}\n")
    data = (f"--data={root}", f"--data={library() / 'mcp'}", "--ignore=*_test.rego")
    ran = OpaCommand(opa).run(
        *("eval", "--format=raw", "--stdin-input", *data, "data.asked.answers"),
        within=root,
        stdin=json.dumps(questions()).encode(),
    )
    assert ran.code == 0, ran.said()
    return ran.report()


@pytest.mark.parametrize("name", OPEN)
def test_an_open_form_permits_something_that_is_missing_or_mistyped(permitted: dict[str, list[int]], name: str) -> None:
    assert permitted[name], textwrap.indent(OPEN[name], "    ")


@pytest.mark.parametrize("name", CLOSED)
def test_a_closed_form_refuses_where_nothing_is_known(permitted: dict[str, list[int]], name: str) -> None:
    assert (0 in permitted[name]) is (name in _UNCONDITIONAL)
