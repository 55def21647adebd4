"""The reviewed words of a catalog: they are what the pins were made of, and bundles carry them for reviewers.

Rule 1: words that do not give the digest of their pin are a problem: the reviewed text is always the pinned one.
Rule 2: if all parts of a pin are there, they give the digest of the whole definition as well.
Rule 3: a bundle carries them in a file of its own (`reviewed_file`), which no decision reads.
"""

from collections.abc import Iterator
from typing import Final

from gateway.admission.digests import defined, digest
from gateway.admission.instructions import KEY, pin_of
from gateway.bundle.document import Document, step
from gateway.bundle.environment import Environment
from gateway.bundle.pack import canonical
from gateway.bundle.plain import Json
from gateway.bundle.problem import Problem
from gateway.bundle.reviewed_file import REVIEWED

_SECTIONS: Final = ("tools", "prompts", "resources")
_REMEDY: Final = "Import the entry again and review what changed."


def reviewed_words(environment: Environment) -> Iterator[Problem]:
    """Yield where the words of a catalog are not those of its pins."""
    for document in environment.catalog:
        for section in _SECTIONS:
            for name, target in document.value.get(section, {}).items():
                if "reviewed" in target:
                    yield from _of_target(document, step(step("", section), name), name, target)
        stated = document.value.get(KEY, {})
        if "reviewed" in stated and pin_of(stated["reviewed"]) != stated["sha256"]:
            said = "the reviewed instructions are not what the pin was made of."
            yield document.problem(f"/{KEY}/reviewed", said, _REMEDY)


def _of_target(document: Document, pointer: str, name: str, target: Json) -> Iterator[Problem]:
    reviewed, pin = target["reviewed"], target.get("pin", {})
    parts = pin.get("parts", {})
    wrong = [part for part, value in reviewed.items() if digest(value) != parts.get(part)]
    for part in wrong:
        said = f"`{part}` of `{name}` is not what the pin was made of."
        yield document.problem(step(step(pointer, "reviewed"), part), said, _REMEDY)
    if not wrong and parts.keys() <= reviewed.keys() and defined(reviewed).sha256 != pin.get("sha256"):
        yield document.problem(f"{pointer}/pin/sha256", f"the pin of `{name}` is not that of its parts.", _REMEDY)


def carried_words(environment: Environment) -> dict[str, bytes]:
    """Return the file of a bundle with the words of all catalogs; none if there are none."""
    found: Json = {}
    for document in environment.catalog:
        words = {section: _words(document.value.get(section, {})) for section in _SECTIONS}
        instructions = document.value.get(KEY, {}).get("reviewed")
        kept: Json = {section: each for section, each in words.items() if each}
        kept |= {} if instructions is None else {KEY: instructions}
        if kept:
            found[document.value["server"]] = kept
    return {REVIEWED: canonical(found)} if found else {}


def _words(targets: Json) -> Json:
    return {key: target["reviewed"] for key, target in targets.items() if "reviewed" in target}
