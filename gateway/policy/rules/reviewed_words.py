"""The reviewed texts of a catalog: the pins are their digests, and bundles carry them for reviewers.

Rule 1: a reviewed text that does not match the digest of its pin is a problem: reviewed and pinned text must be equal.
Rule 2: if all parts of a pin are present, they must match the digest of the whole definition, too.
Rule 3: a pin without its text is a warning: reviewers cannot see what was pinned.
Rule 4: a bundle carries the texts in a separate file (`reviewed_file`), which decisions do not read.
"""

import shlex
from collections.abc import Iterator
from typing import Final

from gateway.admission.digests import defined, digest
from gateway.admission.instructions import KEY, NO_INSTRUCTIONS, pin_of
from gateway.admission.visible_text import visible
from gateway.artifact.json_narrowing import Json
from gateway.artifact.pack import canonical
from gateway.artifact.reviewed_texts_file import REVIEWED
from gateway.policy.sources.document import Document, step
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem

_SECTIONS: Final = ("tools", "prompts", "resources")
_NAMED: Final = 3
"""The largest count of pins that a warning names."""
_REMEDY: Final = "Import the entry again and review what changed."


def reviewed_words(environment: Environment) -> Iterator[Problem]:
    """Yield a problem for each reviewed text of a catalog that does not match its pin."""
    for document in environment.catalog:
        for section in _SECTIONS:
            for name, target in document.value.get(section, {}).items():
                if "reviewed" in target:
                    yield from _of_target(document, step(step("", section), name), name, target)
        stated = document.value.get(KEY, {})
        if "reviewed" in stated and pin_of(stated["reviewed"]) != stated["sha256"]:
            said = "the reviewed instructions do not match the pin."
            yield document.problem(f"/{KEY}/reviewed", said, _REMEDY)


def _of_target(document: Document, pointer: str, name: str, target: Json) -> Iterator[Problem]:
    reviewed, pin = target["reviewed"], target.get("pin", {})
    parts = pin.get("parts", {})
    wrong = [part for part, value in reviewed.items() if digest(value) != parts.get(part)]
    for part in wrong:
        said = f"the reviewed `{part}` of `{name}` does not match the pin."
        yield document.problem(step(step(pointer, "reviewed"), part), said, _REMEDY)
    if not wrong and parts.keys() <= reviewed.keys() and defined(reviewed).sha256 != pin.get("sha256"):
        yield document.problem(f"{pointer}/pin/sha256", f"the pin of `{name}` does not match its parts.", _REMEDY)


def unreviewed_pins(environment: Environment) -> Iterator[Problem]:
    """Yield one warning for each catalog file with pins without reviewed text, at the first such pin."""
    for document in environment.catalog:
        found = [*_unreviewed(document)]
        if not found:
            continue
        names = [name for _, name in found]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        verb = "is" if len(names) == 1 else "are"
        said = f"{', '.join(names[:_NAMED])}{more} {verb} pinned without the reviewed text, so reviewers cannot see it."
        entry = document.value
        options = ["--server", entry["server"], "-o", document.file]
        command = shlex.join(["mcp-admission", "catalog", "import", entry["url"], *options])
        yield document.problem(found[0][0], said, f"Run `{command}`, and review the texts that it adds.")


def _unreviewed(document: Document) -> Iterator[tuple[str, str]]:
    """Yield the JSON pointer and the name of each pin that lacks some of its texts."""
    for section in _SECTIONS:
        for name, target in document.value.get(section, {}).items():
            parts, words = target.get("pin", {}).get("parts", {}).keys(), target.get("reviewed", {}).keys()
            pointer = step(step(step("", section), name), "pin")
            missing = ", ".join(f"`{part}`" for part in sorted(parts - words))
            if missing:
                yield pointer, f"`{visible(name)}` ({missing})" if words else f"`{visible(name)}`"
    stated = document.value.get(KEY, {})
    if stated.get("sha256", NO_INSTRUCTIONS) != NO_INSTRUCTIONS and "reviewed" not in stated:
        yield step("", KEY), f"`{KEY}`"


def carried_words(environment: Environment) -> dict[str, bytes]:
    """Return the bundle's file with the reviewed texts of all catalogs; empty if there are none."""
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
