"""Follow the bundles of a hub: poll, check, keep the last good one, and serve it to OPA."""
