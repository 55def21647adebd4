"""The hub: serves signed bundles to gateways and OPAs, hears what they enforce, and stops what must stop.

Rule 1: it signs no policy and decides nothing: what it serves as policy was signed elsewhere, and is verified again by
whoever enforces it.
Rule 2: what it says it has done is durable; what it cannot do changes nothing.
"""
