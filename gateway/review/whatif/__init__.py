"""What else would have been decided: small changes of policy data and of the question, stated here, judged by OPA.

Rule 1: a change is proposed because it may matter; whether it does only OPA says.
Rule 2: a policy that a change makes is indexed and sealed as the build does it.
"""
