"""The hub: serves signed bundles to gateways and OPAs, collects what they enforce, and issues emergency stops.

Rule 1: the hub signs no policy and makes no decisions. The policy that it serves was signed elsewhere, and each gateway
or OPA that enforces it verifies it again.
Rule 2: an action that the hub confirms is durable. An action that fails changes nothing.
"""
