"""Read the YAML documents of an environment, with the line of each value."""
