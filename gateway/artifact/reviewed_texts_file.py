"""The pins of a bundle's catalog, and the reviewed texts that the bundle carries for people.

Rule 1: the texts are in a separate file, which no decision reads and OPA does not load.
Rule 2: a bundle from an earlier build, or with a catalog without texts, does not have this file. That case differs from
a file that lacks the texts of one pin.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from msgspec import Struct

from gateway.admission.instructions import KEY, NO_INSTRUCTIONS
from gateway.admission.uri_patterns import normal_key
from gateway.artifact.artifact import Artifact
from gateway.artifact.bundle_data import DATA
from gateway.artifact.json_narrowing import Json, is_object

REVIEWED: Final = "reviewed.json"
"""The file with the texts: server -> tools, prompts, resources -> key -> parts, and instructions."""
_SECTIONS: Final = {"tool": "tools", "prompt": "prompts", "resource": "resources"}


class ReviewedCatalog(Struct, frozen=True, kw_only=True):
    """The catalog of a bundle with its reviewed texts."""

    targets: Json
    servers: Json
    words: Json | None
    """None if the bundle has no reviewed texts."""

    def entry(self, server: str, kind: str, target: str) -> Json | None:
        """Return the pin and reviewed texts of a target, or of the instructions of a server; None if it has no pin."""
        words: Json = (self.words or {}).get(server, {})
        if kind == KEY:
            return _instructions(self.servers.get(server, {}).get(KEY), words)
        found = _target(self.targets.get(server, {}), _SECTIONS.get(kind, ""), target)
        if found is None or found[1].get("pin") is None:
            return None
        key, known = found
        section: Json = words.get(_SECTIONS[kind], {})
        named: Json = {normal_key(uri): each for uri, each in section.items()} if kind == "resource" else section
        return {"pin": known["pin"], "reviewed": named.get(key, {})}


def read_catalog(files: Mapping[str, bytes]) -> ReviewedCatalog:
    """Return the catalog in the files of a bundle; raise ValueError, KeyError or TypeError if its form is wrong."""
    catalog = orjson.loads(files[DATA])["catalog"]
    words = orjson.loads(files[REVIEWED]) if REVIEWED in files else None
    return ReviewedCatalog(targets=catalog["targets"], servers=catalog["servers"], words=words)


def words_of(artifact: Artifact) -> Json:
    """Return the reviewed texts of a bundle, or an empty object if it has none or they cannot be read."""
    try:
        found: Any = orjson.loads(artifact.files.get(REVIEWED, b"{}"))
    except orjson.JSONDecodeError:
        return {}
    return found if is_object(found) else {}


def _instructions(pin: Json | None, words: Json) -> Json | None:
    if pin is None:
        return None
    parts = {} if pin["sha256"] == NO_INSTRUCTIONS else {KEY: pin["sha256"]}
    return {"pin": {**pin, "parts": parts}, "reviewed": {KEY: words[KEY]} if KEY in words else {}}


def _target(targets: Json, section: str, target: str) -> tuple[str, Json] | None:
    """Return the key and the entry of a target the way policy does: the exact resource, or else its longest prefix."""
    exact = targets.get(section, {}).get(target)
    if exact is not None or section != "resources":
        return None if exact is None else (target, exact)
    prefixes = [each for each in targets.get("resource_prefixes", []) if target.startswith(each["prefix"])]
    longest = max(prefixes, key=lambda each: len(each["prefix"]), default=None)
    return None if longest is None else (f"{longest['prefix']}*", longest)
