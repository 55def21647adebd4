"""No question makes the policy fail: a wrong type anywhere is a refusal, never an evaluation error (DESIGN section 4).

`opa test` cannot show this: without strict built-in errors, a built-in that gets the wrong type is just undefined.
"""

import copy
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from gateway.policy.build import Content

Path_ = tuple[str | int, ...]
JUNK: Final[tuple[Any, ...]] = (None, True, 0, -1.5, 10**30, "", "a*", "[", [], ["x"], {}, {"0": "x"}, [1, {"a": None}])
ASKED: Final = """
package total
answers := [answer |
    some question in input
    decided := data.mcp.admission.decision with input as question
    listed := data.mcp.admission.listing with input as object.union(
        object.remove(question, ["items"]),
        {"items": [object.filter(question, ["message", "target", "definition"])]}
    )
    answer := {"decision": decided.outcome, "listing": count(listed.items)}
]
"""
WRITE: Final[dict[str, Any]] = {
    "schema": "mcp.input/v1",
    "phase": "request",
    "message": {"method": "tools/call", "kind": "request", "revision": "2025-11-25", "era": "legacy", "retry": {}},
    "principal": {"kind": "anonymous", "method": "none", "issuer": None, "subject": None, "groups": ["g"]},
    "client": {},
    "server": {"id": "demo"},
    "target": {"type": "tool", "name": "write_file", "uri": None},
    "definition": {"sha256": "a", "parts": {"description": "b"}, "annotations": {"readOnlyHint": False}},
    "arguments": {"path": "notes/a.md", "text": "x"},
    "facts": {"/path": {"path": "notes/a.md"}},
    "arguments_meta": {"bytes": 1, "digest": "", "depth": 1, "schema": "match"},
    "items": [],
    "context": {"time": {"unix_ns": 1_795_000_000_000_000_000}},
}


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("tools/call", WRITE["target"]),
        ("resources/read", {"type": "resource", "name": None, "uri": "demo://notes/a"}),
        ("tools/list", {"type": "none", "name": None, "uri": None}),
    ],
)
def test_whatever_is_wrong_with_a_question_it_is_decided(
    method: str, target: dict[str, Any], content: Callable[[], Content], opa: Path, tmp_path: Path
) -> None:
    sound = {**WRITE, "message": {**WRITE["message"], "method": method}, "target": target}
    questions = [sound, *(_changed(sound, place, junk) for place in _places(sound) for junk in JUNK)]
    answers = _answers(questions, content(), opa, tmp_path)
    assert len(answers) == len(questions)
    assert answers[0] == {"decision": "allow", "listing": 1}
    assert all(answer["listing"] == 1 for answer in answers)


def _places(value: object, at: Path_ = ()) -> Iterator[Path_]:
    if at:
        yield at
    if isinstance(value, dict):
        for key, inner in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _places(inner, (*at, key))  # pyright: ignore[reportUnknownArgumentType]


def _changed(question: dict[str, Any], place: Path_, junk: object) -> dict[str, Any]:
    made = copy.deepcopy(question)
    within: Any = made
    for key in place[:-1]:
        within = within[key]
    within[place[-1]] = junk
    return made


def _answers(questions: list[dict[str, Any]], content: Content, opa: Path, root: Path) -> list[dict[str, Any]]:
    for name, text in {**content.files, "total.rego": ASKED.encode()}.items():
        place = root / "tree" / name.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(text)
    flags = ["--strict-builtin-errors", "--format=raw", "--stdin-input", "--data=."]
    command = [str(opa), "eval", *flags, "data.total.answers"]
    ran = subprocess.run(
        command, input=json.dumps(questions).encode(), capture_output=True, cwd=root / "tree", check=False
    )
    assert ran.returncode == 0, ran.stdout.decode()[:2000] + ran.stderr.decode()[:2000]
    return json.loads(ran.stdout)
