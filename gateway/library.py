"""Location of the stock policy library.

Rule 1: one function serves both a checkout (`rego/` next to the package) and an installed wheel (`gateway/stock/`).
"""

from pathlib import Path


def library() -> Path:
    """Return the directory of the stock library. A wheel's own copy takes precedence over a directory next to it."""
    package = Path(__file__).resolve().parent
    carried = package / "stock"
    if carried.is_dir():
        return carried
    beside = package.parent / "rego"
    if beside.is_dir():
        return beside
    raise FileNotFoundError(f"the stock policy library is neither at {carried} nor at {beside}: reinstall the package")
