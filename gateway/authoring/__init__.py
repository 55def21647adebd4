"""Tools that only policy authors and CI run: mutation testing and the difference between bundles."""
