"""A hub, or a directory in its place, as commands call it."""
