"""The catalog entries of a file, an environment or a policy repository, as a build reads them.

Rule 1: links are followed and entries are rejected as in a build; a file that a build does not read is not compared.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from gateway.policy.checking import environments
from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.environment import list_environment
from gateway.policy.sources.source_files import DirectoryListing, DirectoryToList, SourceFile, list_files
from gateway.protocol.json_values import as_object


def entries(path: Path) -> Iterator[Mapping[str, Any]]:
    """Return the catalog entries of a file, or of all files in the catalogs of a directory."""
    for file in [path] if path.is_file() else _files(path):
        document = read_document(str(file), file.read_bytes())
        if not isinstance(document, Document):
            raise click.ClickException("\n".join(map(str, document)))
        value = as_object(document.value)
        if value is not None and isinstance(value.get("server"), str) and isinstance(value.get("url"), str):
            yield value


def _files(path: Path) -> list[Path]:
    """Return the catalog files of a policy repository, of one of its environments, or of any other directory."""
    here = path.absolute()
    if (here / "bundles").is_dir():
        return [file for name in environments(here) for file in _of_environment(here, name, "catalog/")]
    for place, above in ((here, ""), (here.parent, f"{here.name}/")):
        if place.parent.name == "bundles" and (not above or here.name == "catalog"):
            return _of_environment(place.parent.parent, place.name, above or "catalog/")
    return _places(list_files(DirectoryToList(root=here, shown=str(path), within=here)), "")


def _of_environment(policy: Path, name: str, below: str) -> list[Path]:
    return _places(list_environment(policy, name), below)


def _places(listing: DirectoryListing, below: str) -> list[Path]:
    if listing.problems:
        raise click.ClickException("\n".join(map(str, listing.problems)))
    return [file.place for file in _yaml(listing.files) if file.path.startswith(below)]


def _yaml(files: Sequence[SourceFile]) -> Iterator[SourceFile]:
    return (file for file in files if file.path.endswith(".yaml"))
