"""Real policies as bundles: built once by the stock library, then packed under as many numbers as a test wants."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import Packed, pack
from gateway.artifact.signing import SigningKey
from gateway.opa.binary import obtain
from gateway.policy.build import Builder, PolicySource
from gateway.policy.sources.problem import Problems
from tests.running import write_environment


def compiled(
    directory: Path,
    servers: Mapping[str, str | Mapping[str, Any]],
    environment: str = "test",
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> Mapping[str, bytes]:
    """Return the files of the policy that allows everything on these servers; it is built in the directory.

    `more` are more files of its environment.
    """
    write_environment(directory / "policy" / "bundles" / environment, servers, more, environment)
    builder = Builder(directory / "state", obtain(print))
    content = builder.content(PolicySource(directory / "policy", environment), time.time())
    assert not isinstance(content, Problems), content
    return content.files


def packed(files: Mapping[str, bytes], seq: int, key: SigningKey | None, **metadata: Any) -> Packed:
    """Return these files as a bundle under a number, signed where there is a key."""
    return pack(files, replace(BundleMetadata(environment="test", seq=seq), **metadata), key=key)
