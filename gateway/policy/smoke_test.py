"""Load a packed bundle into a real OPA once, before it is accepted.

Rule 1: the bundle must refuse a call that must never be allowed: an unknown caller's call to an unlisted server.
Rule 2: checks that only OPA can do are done here: OPA's own engine checks the regular expressions of rules.
"""

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any, Final

import orjson
from msgspec import Struct, to_builtins

from gateway.admission.policy_input import AskedMessage, Client, Context, Gateway, PolicyInput, Server, Target
from gateway.admission.principal import Principal
from gateway.admission.question import moment
from gateway.policy.rego.opa_cli import OpaCommand, complaints
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem

ARCHIVE: Final = "bundle.tar.gz"
_QUERY: Final = """{
	"answers": [answer | answer := data.mcp.admission.decision with input as input.canary],
	"unsealed": [rule | some rule in data.mcp.lib.rules.seals.broken],
	"broken": [pattern | some pattern in input.patterns; not regex.is_valid(pattern)],
}"""

CANARY: Final = PolicyInput(
    phase="request",
    message=AskedMessage(method="tools/call", kind="request", revision="2026-07-28", era="modern"),
    principal=Principal(kind="service", method="token", credential_sha256="0" * 64),
    client=Client(),
    server=Server(id="-"),
    target=Target(type="tool", name="canary"),
    context=Context(time=moment(0), source_ip="127.0.0.1", gateway=Gateway(id="build", version="0")),
)
"""A call by an unknown caller to a server that a catalog cannot list: `-` is not a valid server id."""


class SmokeTest(Struct, frozen=True):
    """The result of loading a bundle: its problems, and its patterns that OPA cannot compile."""

    problems: tuple[Problem, ...]
    broken: tuple[str, ...] = ()


def rehearsed(environment: Environment, opa: OpaCommand, within: Path) -> list[Problem]:
    """Return the problems of the bundle in `within`; empty if it answers correctly."""
    rehearsal = loaded({test.operand for _, _, test in environment.tests("matches")}, opa, within)
    return [*rehearsal.problems, *_broken(environment, rehearsal.broken)]


def loaded(patterns: Iterable[str], opa: OpaCommand, within: Path) -> SmokeTest:
    """Load the bundle in `within` into a real OPA, and check the regular expressions of its rules."""
    asked = sorted(patterns)
    question = orjson.dumps({"canary": to_builtins(CANARY), "patterns": asked})
    ran = opa.run(
        "eval", "--format=json", "--strict-builtin-errors", "--bundle", ARCHIVE, "--stdin-input", _QUERY,
        within=within, stdin=question,
    )  # fmt: skip
    if ran.code:
        return SmokeTest(tuple(_unloadable(problem) for problem in complaints(ran)))
    value = _value(ran.report())
    problems = [*_unrefused(value.get("answers", [])), *_unsealed(value.get("unsealed", ["all"]))]
    return SmokeTest(tuple(problems), tuple(value.get("broken", asked)))


def _value(report: Any) -> dict[str, Any]:
    try:
        return report["result"][0]["expressions"][0]["value"]
    except (KeyError, IndexError, TypeError):
        return {}


def _unloadable(problem: Problem) -> Problem:
    return Problem(problem.file, problem.line, f"the packed bundle cannot be loaded: {problem.what}", problem.remedy)


def _unrefused(answers: Any) -> list[Problem]:
    if isinstance(answers, list) and len(answers) == 1 and answers[0].get("outcome") == "deny":  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
        return []
    remedy = "Fix the policy: an unknown caller's call to an unlisted server must end in `deny`."
    return [Problem("rego", 0, f"the packed bundle answers a canary question with {answers!r}.", remedy)]


def _unsealed(rules: list[str]) -> list[Problem]:
    said = "cannot be read back as written, so it would refuse everything."
    remedy = "Report this with the rule: it is a bug of the build."
    return [Problem("rules", 0, f"the packed rule `{rule}` {said}", remedy) for rule in rules]


def _broken(environment: Environment, patterns: Collection[str]) -> list[Problem]:
    return [
        document.problem(pointer, f"`{test.operand}` is not a valid regular expression.", "Write it in RE2 syntax.")
        for document, pointer, test in environment.tests("matches")
        if test.operand in patterns
    ]
