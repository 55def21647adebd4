"""Looking back and ahead with a real OPA: replay a candidate, explain a decision, export a corpus for CI.

Rule 1: what a bundle would decide is asked of OPA, never worked out here.
Rule 2: what cannot be known is counted with its reason; nothing is guessed.
"""
