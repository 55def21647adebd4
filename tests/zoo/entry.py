"""The entries of this directory: real servers and clients, each one directory with `entry.toml` and its lock.

Rule 1: a key that no entry has is an error, with the file; a misspelled step is never a step that is left out.
Rule 2: a difference is named with its step and its reason, or it is a failure.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec
from msgspec import Struct

ENTRIES: Final = "ZOO_ENTRIES"
"""The environment variable that names another directory of entries (`tests.zoo.latest`)."""
HERE: Final = Path(__file__).resolve().parent
PROGRAMS: Final = HERE / "programs"
_HERE: Final = Path(os.environ.get(ENTRIES, HERE))
Ecosystem = Literal["python", "node", "go", "rust", "java"]
E = TypeVar("E", bound="Entry")


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What servers and clients have in common."""

    title: str
    package: str
    """The package whose locked version the table shows."""
    ecosystem: Ecosystem
    command: tuple[str, ...]
    fast: bool = False
    """Whether `make test` runs it, without its variants; `make zoo` runs all."""
    needs: tuple[str, ...] = ()
    """What it needs in addition to its ecosystem; names of `tests.environment.NEEDS`."""
    environment: Mapping[str, str] = {}
    differences: "tuple[KnownDifference, ...]" = ()


class KnownDifference(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step whose result differs through the gateway, and why it has to."""

    step: str
    reason: str
    modes: tuple[str, ...] = ()
    """The modes of the client in which it differs; none: all."""
    variants: tuple[str, ...] = ()
    """The variants in which it differs; none: all."""


class Call(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call of a tool; `proof` is another one, whose result shows what the server noticed of it."""

    tool: str
    arguments: Mapping[str, Any] = {}
    proof: "Call | None" = None


class Prompt(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A prompt to get."""

    name: str
    arguments: Mapping[str, str] = {}


class Completion(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An argument of a prompt or of a resource template to complete."""

    prompt: str | None = None
    resource: str | None = None
    argument: str
    value: str


class Steps(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a conversation with a server does in addition to connecting and listing."""

    calls: tuple[Call, ...] = ()
    reads: tuple[str, ...] = ()
    prompts: tuple[Prompt, ...] = ()
    completions: tuple[Completion, ...] = ()
    sampling: Call | None = None
    elicitation: Call | None = None
    progress: Call | None = None
    cancellation: Call | None = None
    refused: Call | None = None


class Variant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same server, started in another way."""

    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class ServerEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A server; `url` is where it answers once it is started."""

    url: str
    modes: tuple[Literal["auto", "legacy"], ...] = ("auto",)
    timeout_s: int = 30
    volatile: tuple[str, ...] = ()
    """Regular expressions for text that differs between two direct runs, such as a time."""
    variants: Mapping[str, Variant] = {}
    steps: Steps = Steps()


class ClientEntry(Entry, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client: a program that prints one JSON object, the outcome of each of its steps."""

    steps: tuple[str, ...]
    mode: str = ""
    allowed_origins: tuple[str, ...] = ()
    """Origins of web pages that the reference server and the gateway (`listen.allowed_origins`) accept."""


class Run(Struct, frozen=True, kw_only=True):
    """One run of a server: a variant of an entry, and the mode of the client."""

    directory: Path
    entry: ServerEntry
    variant: str
    mode: Literal["auto", "legacy"]

    @property
    def name(self) -> str:
        """Return the name of the run in tests and in the table."""
        return "-".join(filter(None, (self.directory.name, self.variant, self.mode)))

    @property
    def known(self) -> Mapping[str, str]:
        """Return the reasons of the steps that may differ in this run."""
        return {
            one.step: one.reason
            for one in self.entry.differences
            if (not one.modes or self.mode in one.modes) and (not one.variants or self.variant in one.variants)
        }


def runs(directory: Path = _HERE / "servers") -> Iterator[Run]:
    """Yield the runs of all servers, in the order of their names."""
    for path in _directories(directory):
        entry = read(path, ServerEntry)
        for variant in ("", *entry.variants):
            for mode in entry.modes:
                yield Run(directory=path, entry=entry, variant=variant, mode=mode)


def clients(directory: Path = _HERE / "clients") -> Iterator[tuple[Path, ClientEntry]]:
    """Yield the clients and their directories, in the order of their names."""
    for path in _directories(directory):
        yield path, read(path, ClientEntry)


def read(directory: Path, kind: type[E]) -> E:
    """Return the entry of a directory; raises `ValueError` with the file if it is not one."""
    path = directory / "entry.toml"
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from error


def _directories(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir() and not path.name.startswith((".", "_")))
