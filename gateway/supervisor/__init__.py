"""The supervisor: starts the workers and OPA, and ends with all of them."""
