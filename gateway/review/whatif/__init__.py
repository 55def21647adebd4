"""Search for small changes of the policy data or the question that would change a decision, evaluated by OPA.

Rule 1: a change is proposed because it may matter; only OPA decides whether it does.
Rule 2: changed policy data is indexed and sealed as in the build.
"""
