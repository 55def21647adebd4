"""The stock library that a bundle carries: which version it is, and what its Rego is.

Rule 1: the digest is over the Rego that decides: no tests, and not the generated half of the combiner, which follows
from the requirements that are laid over the stock.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import Library
from gateway.version import VERSION

_TEST: Final = "_test.rego"


def deciding(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The files of a stock library that a bundle carries as they are."""
    return {
        path: content for path, content in files.items() if not path.endswith(_TEST) and path != COMBINED_REQUIREMENTS
    }


def carried(files: Mapping[str, bytes]) -> Library:
    """What a bundle says of the stock library of these files, tests among them or not."""
    digest = hashlib.sha256()
    for path, content in sorted(deciding(files).items()):
        digest.update(f"{path} {hashlib.sha256(content).hexdigest()}\n".encode())
    return Library(version=VERSION, digest=digest.hexdigest())
