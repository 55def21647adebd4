"""What became of the data classes: of the environment's list, of what targets hold, of how far they reach.

Rule 1: holding more is stricter, because agents need clearance for all of it, rules that refuse by data name any of it
and rules that permit by data name all of it.
Rule 2: what follows from a change that was told is not told again: a target's from its server's, and what is not
classified from the environment's.
"""

from collections.abc import Sequence
from typing import Any

from gateway.artifact.json_types import Json
from gateway.authoring.difference.change import Told, became, gained, listed, moved

Lists = tuple[Json | None, Json | None]
"""`data_classes` of both environments."""


def class_list_changes(old: Json | None, new: Json | None) -> Told:
    """Yield what became of the classes that an environment lists."""
    if old is None or new is None:
        classes = listed((new or old or {})["classes"])
        if old is None:
            yield f"now lists the data classes {classes}: agents need clearance for what they touch", "stricter"
        else:
            yield f"no longer lists the data classes {classes}: agents need no clearance", "looser"
        return
    said = {"more": "now lists the data class", "fewer": "no longer lists the data class"}
    yield from gained(old["classes"], new["classes"], **said, wider="same")
    if old["unclassified"] != new["unclassified"]:
        yield became("data class of what is not classified", old["unclassified"], new["unclassified"]), "unclear"


def held_changes(old: Sequence[str] | None, new: Sequence[str] | None, lists: Lists, told: Any = None) -> Told:
    """Yield what became of the classes that a server or target holds; `told` are those of its server."""
    before, after = lists
    change = moved(old or (), new or ())
    if before is None or after is None or change == ([after["unclassified"]], [before["unclassified"]]):
        return
    if told is None or change != moved(told[0] or (), told[1] or ()):
        said = {"more": "now holds data of class", "fewer": "no longer holds data of class"}
        yield from gained(old or (), new or (), **said, wider="stricter")


def reach_changes(old: str | None, new: str | None) -> Told:
    """Yield what became of how far a server or target reaches; what is unknown is refused by rules about either."""
    yield became("reach", old, new), "looser" if old is None else "stricter" if new is None else "unclear"
