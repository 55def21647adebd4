"""Build a bundle from a policy repository: read the sources, check them, verify the Rego, and pack the result.

The packed files are exactly the checked ones. A build that finds a problem does not change anything and reports all
problems at once, each with its file and line.
"""
