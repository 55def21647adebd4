"""Offline review with a real OPA: replay a candidate bundle, explain a decision, export a corpus for CI.

Rule 1: OPA decides what a bundle would decide; this package never computes a decision itself.
Rule 2: unknown results are counted with their reason, never guessed.
"""
