"""Tools for policy authors and CI only: mutation testing, and the difference between bundles."""
