"""Policy bundles as files: pack, read, sign and verify a bundle, and read its manifest.

Nothing here reads policy sources. A gateway that follows bundles and a hub need only this package and `follow`.
"""
