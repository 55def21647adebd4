"""The client side of a hub, or of a directory with the same layout, for commands."""
