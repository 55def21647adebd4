"""A policy bundle as a file: pack it, read it, sign it, check its signature, and read what its manifest states.

Nothing here reads policy sources. A gateway that follows bundles and a hub need this package and `follow` only.
"""
