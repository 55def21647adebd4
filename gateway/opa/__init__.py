"""The OPA sidecar: the binary, the managed process, the decision call, readiness, the revision in force."""
