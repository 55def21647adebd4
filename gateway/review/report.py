"""Report of a replay compared with the expected changes: the value behind the table, Markdown and JSON.

Rule 1: the replay fails on an unexplained loosening, on a question without an answer, and if no decision was replayed,
because that would prove nothing.
"""

from typing import Any, Final

from msgspec import Struct

from gateway.artifact.manifest import Manifest
from gateway.review.expected_changes import Expected, ExpectedChange
from gateway.review.outcome_flips import OUTCOMES, Comparison, Flips
from gateway.review.recorded_decision import COMPARED, WHY

REMEDY: Final = (
    "Fix the candidate, or add an entry with an owner and a reason to expected-changes.yaml: `mcp-admission replay"
    " --help` shows an example."
)
"""The advice for an unexplained loosening."""


class ReplayReport(Struct, frozen=True, kw_only=True):
    """A finished replay."""

    manifest: Manifest
    comparison: Comparison
    expected: Expected
    seconds: float
    may_be_empty: bool = False

    @property
    def unexplained(self) -> list[Flips]:
        """The loosening flips that no expected change explains."""
        return [each for each in self.comparison.flips if each.kind.loosens and not self.explaining(each)]

    @property
    def unused(self) -> list[ExpectedChange]:
        """The expected changes that match no flip."""
        return self.expected.unused(self.comparison.flips)

    @property
    def failures(self) -> list[str]:
        """The reasons why the replay fails, one sentence each; empty if it passes."""
        found: list[str] = []
        if self.unexplained:
            loosened = sum(each.count for each in self.unexplained)
            found.append(
                f"{loosened:,} refused or held decisions would be allowed, but no expected change explains them."
            )
        unanswered = sum(self.comparison.unanswered.values())
        if unanswered:
            found.append(f"{unanswered:,} questions got no answer from OPA.")
        if not self.comparison.replayed and not self.may_be_empty:
            found.append("No decision could be replayed, so the replay proves nothing.")
        return found

    def explaining(self, flips: Flips) -> ExpectedChange | None:
        """Return the expected change that explains these flips."""
        return self.expected.explaining(flips.kind)


def document(report: ReplayReport) -> dict[str, Any]:
    """Return the report as JSON values."""
    comparison, metadata = report.comparison, report.manifest.metadata
    return {
        "schema": "mcp.replay/v1",
        "candidate": {"revision": report.manifest.revision, "commit": metadata.commit, "author": metadata.author},
        "passes": not report.failures,
        "failures": report.failures,
        "replayed": comparison.replayed,
        "seconds": round(report.seconds, 3),
        "outcomes": {
            before: {after: comparison.outcomes.get((before, after), 0) for after in OUTCOMES} for before in OUTCOMES
        },
        "flips": [_flips(report, each) for each in comparison.flips],
        "not_replayed": {why: {"count": count, "because": WHY[why]} for why, count in comparison.left.items()},
        "errors": comparison.errors,
        "unanswered": comparison.unanswered,
        "expected": {
            "problems": [str(problem) for problem in report.expected.problems],
            "unused": [f"{entry.file}:{entry.line}" for entry in report.unused],
        },
    }


def _flips(report: ReplayReport, flips: Flips) -> dict[str, Any]:
    kind, entry = flips.kind, report.explaining(flips)
    explained = entry and {"owner": entry.owner, "reason": entry.reason, "at": f"{entry.file}:{entry.line}"}
    return {
        "from": kind.before,
        "to": kind.after,
        "loosens": kind.loosens,
        "count": flips.count,
        "agent": kind.agent,
        "server": kind.server,
        "target": kind.target,
        "before": {
            "rule": kind.rule_before,
            "requirement": kind.requirement_before,
            "reason": flips.example.reason_before,
        },
        "after": {"rule": kind.rule_after, "requirement": kind.requirement_after, "reason": flips.example.reason_after},
        "example": {"call_id": flips.example.call_id, "time": flips.example.time},
        "explained_by": explained,
    }


def uncompared(comparison: Comparison) -> int:
    """Return the number of policy decisions that could not be compared."""
    return sum(comparison.left.get(why, 0) for why in COMPARED)
