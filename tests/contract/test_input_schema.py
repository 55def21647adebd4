"""The generated input schema is the checked-in one, and with it OPA catches what a person mistypes."""

import subprocess
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.admission.policy_input import PolicyInput
from gateway.policy.rego.input_schema import input_schema, input_schema_text


def test_the_checked_in_schema_is_the_one_of_the_types(checkout: Path) -> None:
    assert (checkout / "rego/schemas/input.json").read_bytes() == input_schema_text()


def test_every_field_of_the_types_is_in_the_schema() -> None:
    assert set(input_schema()["properties"]) == set(PolicyInput.__struct_fields__)


def nodes(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, dict):
        return [node, *(inner for value in node.values() for inner in nodes(value))]  # pyright: ignore[reportUnknownVariableType]
    return [inner for value in node for inner in nodes(value)] if isinstance(node, list) else []  # pyright: ignore[reportUnknownVariableType]


def test_the_schema_has_the_form_in_which_opa_catches_typos() -> None:
    for node in nodes(input_schema()):
        assert "$ref" not in node
        assert "anyOf" not in node
        if isinstance(node.get("enum"), list):
            assert node["type"] == "string"
            assert None not in node["enum"]


def checked(opa: Path, scratch: Path, condition: str) -> subprocess.CompletedProcess[str]:
    (scratch / "input.json").write_bytes(input_schema_text())
    (scratch / "x.rego").write_text(f"package x\n\nx if {{\n\t{condition}\n}}\n")
    command = [opa, "check", "--strict", "--schema=input.json", "x.rego"]
    return subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "condition",
    [
        'input.mesage.method == "x"',
        'input.message.metod == "x"',
        'input.items[_].target.nme == "x"',
        'input.principal.group == "x"',
        "input.context.time.hours < 3",
        'input.context.time.hour == "9"',
        'input.principal.groups == "x"',
        "input.message.era == 3",
        "startswith(input.target.name, 1)",
        'input.definition.part.description == "x"',
    ],
)
def test_opa_catches_a_typo(opa: Path, tmp_path: Path, condition: str) -> None:
    ran = checked(opa, tmp_path, condition)
    assert ran.returncode == 1, condition
    assert "rego_type_error" in ran.stderr


@pytest.mark.parametrize(
    "condition",
    [
        'input.message.method == "tools/call"',
        "input.arguments.path.deeper == 1",
        "input.principal.claims.anything.at.all",
        'input.definition.parts.inputSchema == "x"',
        'input.context.headers["x-team"] == "blue"',
    ],
)
def test_opa_accepts_what_is_there(opa: Path, tmp_path: Path, condition: str) -> None:
    ran = checked(opa, tmp_path, condition)
    assert ran.returncode == 0, ran.stderr


def test_the_schema_is_json_with_a_final_newline() -> None:
    assert orjson.loads(input_schema_text()) == input_schema()
    assert input_schema_text().endswith(b"}\n")
