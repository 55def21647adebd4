"""Build a bundle from a policy repository: read the sources, check them, verify the Rego, and pack the result.

The files that were checked are the files that are packed. A build that finds a problem changes nothing and reports
all problems at once, each with its file and line.
"""
