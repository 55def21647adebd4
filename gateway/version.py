"""The version of this gateway in records, metrics and `--version`.

Rule 1: the version is defined in one place, the package's `__version__`.
"""

from typing import Final

from gateway import __version__

VERSION: Final = __version__
