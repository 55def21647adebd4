"""Whether anything bears the name that somebody stops: a mistyped one stops nothing, which must not look like success.

Rule 1: it only tells; the stop stands, for who bears the name may come with the next bundle.
Rule 2: nothing is told of what bundles do not list, such as principals, nor where a bundle cannot be read.
"""

from collections.abc import Iterable

from gateway.bundle.artefact import Artefact, read_artefact
from gateway.bundle.carried import data_of
from gateway.bundle.emergency import Stop
from gateway.bundle.plain import Json


def unborne(stop: Stop, bundles: Iterable[bytes]) -> str:
    """That no bundle in force lists what is stopped; empty where one does, or where none could."""
    if stop.kind == "principal":
        return ""
    looked = False
    for content in bundles:
        artefact = read_artefact(content)
        data = data_of(artefact) if isinstance(artefact, Artefact) else None
        if data is None or _lists(data, stop):
            return ""
        looked = True
    return f"no bundle in force lists the {stop.kind} {stop.name!r}" if looked else ""


def _lists(data: Json, stop: Stop) -> bool:
    if stop.kind == "agent":
        return stop.name in data["agents"]
    if stop.kind == "server":
        return stop.name in data["catalog"]["servers"]
    server, _, name = stop.name.partition("/")
    targets = data["catalog"]["targets"].get(server)
    if targets is None:
        return False
    prefixes = (each["prefix"] for each in targets["resource_prefixes"])
    return any(name in targets[kind] for kind in ("tools", "prompts", "resources")) or name.startswith((*prefixes,))
