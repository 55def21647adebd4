"""Describe a build that failed with an unexpected error.

Rule 1: the problem names the file and line of the document that was being processed, if they can be determined.
Rule 2: characters of the error's text that cannot be encoded are escaped, so that the problem can be logged.
"""

from collections.abc import Sequence
from traceback import walk_tb
from types import FrameType

from gateway.policy.sources.document import Document
from gateway.policy.sources.problem import Problem, Problems, refusal

_NAMED = 5
"""The largest number of changed files that are named."""


def failed_build(error: Exception, directory: str, changed: Sequence[str]) -> Problems:
    """Return the problem of an error; `changed` are the files that changed since the last build without one."""
    said = f"cannot be built: {_text(error)}."
    if isinstance(error, OSError):
        return refusal([Problem(_place(error, directory), 0, said, "Correct the cause and save again.")])
    remedy = "Undo the last change here and save again. Please report this error of the gateway."
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
