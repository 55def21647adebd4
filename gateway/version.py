"""The version of this gateway, as records, metrics and `--version` show it.

Rule 1: it is written in one place, the package's `__version__`.
"""

from typing import Final

from gateway import __version__

VERSION: Final = __version__
