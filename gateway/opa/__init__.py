"""OPA sidecar: the binary, the managed process, decision queries, readiness and the enforced revision."""
