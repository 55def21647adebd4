"""Describes a build that ended with an error which nobody foresaw.

Rule 1: the problem names a file and a line where they can be known: those of the document that was being looked at.
Rule 2: what is not encodable in the error's text is escaped, so that the problem can be logged.
"""

from collections.abc import Sequence
from traceback import walk_tb
from types import FrameType

from gateway.policy.sources.document import Document
from gateway.policy.sources.problem import Problem, Problems, refusal

_NAMED = 5
"""How many changed files are named at most."""


def failed_build(error: Exception, directory: str, changed: Sequence[str]) -> Problems:
    """The problem of an error; `changed` are the files that changed since the last build without one."""
    said = f"cannot be built: {_text(error)}."
    if isinstance(error, OSError):
        return refusal([Problem(_place(error, directory), 0, said, "Correct that and save again.")])
    remedy = "Undo the last change here and save again; please report this error of the gateway."
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        document = next((each for each in frame.f_locals.values() if isinstance(each, Document)), None)
        if document is not None:
            return refusal([document.problem(_pointer(frame), said, remedy)])
    return refusal([Problem(file, 0, said, remedy) for file in changed[:_NAMED] or [directory]])


def _pointer(frame: FrameType) -> str:
    pointer = frame.f_locals.get("pointer")
    return pointer if isinstance(pointer, str) else ""


def _place(error: OSError, directory: str) -> str:
    return directory if error.filename is None else _encodable(str(error.filename))


def _text(error: Exception) -> str:
    said = str(error) if isinstance(error, OSError) else f"{type(error).__name__}: {error}"
    return _encodable(said).replace("\n", " ")


def _encodable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
