"""Changes of the data classes: of the environment's list, of the classes that targets hold, and of their reach.

Rule 1: holding more classes is stricter: agents need clearance for all classes, a rule that refuses by data applies to
any of them, and a rule that permits by data must name all of them.
Rule 2: a change that follows from a reported one is not reported again: a target's change from its server's, and the
change of an unclassified target from the environment's.
"""

from collections.abc import Sequence
from typing import Any

from gateway.artifact.json_narrowing import Json
from gateway.authoring.difference.change import Told, became, gained, listed, moved

Lists = tuple[Json | None, Json | None]
"""`data_classes` of both environments."""


def class_list_changes(old: Json | None, new: Json | None) -> Told:
    """Yield the changes of the classes that an environment lists."""
    if old is None or new is None:
        classes = listed((new or old or {})["classes"])
        if old is None:
            yield f"now lists the data classes {classes}: agents need clearance for the data they use", "stricter"
        else:
            yield f"no longer lists the data classes {classes}: agents do not need clearance", "looser"
        return
    said = {"more": "now lists the data class", "fewer": "no longer lists the data class"}
    yield from gained(old["classes"], new["classes"], **said, wider="same")
    if old["unclassified"] != new["unclassified"]:
        yield became("data class for unclassified targets", old["unclassified"], new["unclassified"]), "unclear"


def held_changes(old: Sequence[str] | None, new: Sequence[str] | None, lists: Lists, told: Any = None) -> Told:
    """Yield the changes of the classes that a server or target holds; `told` are the old and new ones of its server."""
    before, after = lists
    change = moved(old or (), new or ())
    if before is None or after is None or change == ([after["unclassified"]], [before["unclassified"]]):
        return
    if told is None or change != moved(told[0] or (), told[1] or ()):
        said = {"more": "now holds data of class", "fewer": "no longer holds data of class"}
        yield from gained(old or (), new or (), **said, wider="stricter")


def reach_changes(old: str | None, new: str | None) -> Told:
    """Yield the change of the reach of a server or target; rules about either reach refuse an unknown one."""
    yield became("reach", old, new), "looser" if old is None else "stricter" if new is None else "unclear"
