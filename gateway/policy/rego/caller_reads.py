"""Find the caller's claims that own requirements read, so that they do not hold while such a claim is unknown.

Rule 1: the search covers the syntax trees of the requirement and of the own modules that it uses.
Rule 2: only reads by a literal name are found. If a requirement computes the name of a claim, it must check for unknown
claims itself.
Rule 3: if the principal gets another name (`p := input.principal`, an argument of a function), every reference with the
name of one of its fields counts as that field.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from gateway.admission.principal import CLAIM_FIELDS
from gateway.policy.rego.rego_module import Module, walk

_LIBRARY: Final = ("data", "mcp", "lib", "principal")
"""The module of the stock library that also has the groups of the caller."""
_CLAIMS: Final = "claims"
_ROOTS: Final = frozenset({"input", "data"})
_RENAMED: Final = frozenset({("input",), ("input", "principal")})
"""References that may be assigned to another name, through which fields such as `groups` are then read."""


class CallerReads(Struct, frozen=True, order=True):
    """Fields of the principal that claims fill, and names of other claims."""

    fields: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return whether any field or claim is read."""
        return bool(self.fields or self.claims)


def caller_reads(modules: Sequence[Module], own: Mapping[str, Sequence[Module]]) -> CallerReads:
    """Return the fields and claims of the caller that modules read; `own` are the modules to follow, by package."""
    seen: set[str] = set()
    waiting, paths = [*modules], set[tuple[str, ...]]()
    while waiting:
        module = waiting.pop()
        if module.path in seen:
            continue
        seen.add(module.path)
        found = {*_paths(module)}
        paths |= found
        for path in found:
            waiting += [each for end in range(2, len(path) + 1) for each in own.get(".".join(path[1:end]), ())]
    read = {path[2:] for path in paths if path[:2] == ("input", "principal")}
    read |= {path[4:] for path in paths if path[:4] == _LIBRARY}
    if not _RENAMED.isdisjoint(paths):
        of_names = [path for path in paths if path[0] not in _ROOTS]
        read |= {path[start:] for path in of_names for start in range(1, len(path))}
    return CallerReads(
        fields=tuple(sorted({path[0] for path in read if path} & {*CLAIM_FIELDS})),
        claims=tuple(sorted({path[1] for path in read if len(path) > 1 and path[0] == _CLAIMS})),
    )


def _paths(module: Module) -> Iterator[tuple[str, ...]]:
    """Yield the references of a module up to the first part that is not a plain name, with imports resolved."""
    imports = {name: tuple(path.split(".")) for name, path in module.imports.items()}
    yield from imports.values()
    for node in walk(module.rules):
        if node.get("type") == "ref":
            head, *others = node["value"]
            named = tuple(_names(others))
            yield (*imports.get(str(head.get("value")), (str(head.get("value")),)), *named)


def _names(terms: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for term in terms:
        if term.get("type") != "string":
            return
        yield str(term["value"])
