"""Mutation testing of Rego: find changes of a policy that no test detects, and those that would loosen the policy.

Rule 1: mutants come from OPA's own syntax tree, and `opa test` judges them, run the same way as in the build.
Rule 2: a survivor is a failure if a real OPA shows a question that it permits and the original refuses. Every other
survivor is only reported.
"""

from gateway.authoring.mutation.environments import base_of
from gateway.authoring.mutation.runner import MutationReport, MutationRun, Survivor

__all__ = ["MutationReport", "MutationRun", "Survivor", "base_of"]
