"""Stage, lint and verify the Rego of a policy repository together with the stock library."""
