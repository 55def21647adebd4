"""The stock policy library: where its Rego lies.

Rule 1: one function answers for a checkout (`rego/` beside the package) and for an installed wheel (`gateway/stock/`).
"""

from pathlib import Path


def library() -> Path:
    """The directory of the stock library; a wheel's own copy comes before anything that lies beside the package."""
    package = Path(__file__).resolve().parent
    carried = package / "stock"
    if carried.is_dir():
        return carried
    beside = package.parent / "rego"
    if beside.is_dir():
        return beside
    raise FileNotFoundError(
        f"the stock policy library is neither at {carried} nor at {beside}: install the package anew"
    )
