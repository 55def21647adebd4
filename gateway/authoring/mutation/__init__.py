"""Mutation testing of Rego: the changes of a policy that no test notices, and those that would let something pass.

Rule 1: mutants come from OPA's own syntax tree, and are judged by `opa test`, as the build runs it.
Rule 2: a survivor that lets pass what the original refuses, shown by a real OPA on a real question, is a failure;
every other survivor is told and is none.
"""

from gateway.authoring.mutation.environments import base_of
from gateway.authoring.mutation.runner import MutationReport, MutationRun, Survivor

__all__ = ["MutationReport", "MutationRun", "Survivor", "base_of"]
