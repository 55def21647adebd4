"""The version and the digest of the stock library that a bundle carries.

Rule 1: the digest covers the Rego that decides. It excludes tests and the generated half of the combiner, which depends
on the own requirements.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import Library
from gateway.version import VERSION

_TEST: Final = "_test.rego"


def deciding(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a stock library that a bundle carries unchanged."""
    return {
        path: content for path, content in files.items() if not path.endswith(_TEST) and path != COMBINED_REQUIREMENTS
    }


def carried(files: Mapping[str, bytes]) -> Library:
    """Return the bundle's description of the stock library with these files, with or without tests."""
    digest = hashlib.sha256()
    for path, content in sorted(deciding(files).items()):
        digest.update(f"{path} {hashlib.sha256(content).hexdigest()}\n".encode())
    return Library(version=VERSION, digest=digest.hexdigest())
