"""The pin of a target in a bundle: the entry that policy finds, with its reviewed texts."""

from typing import Any

import orjson
import pytest

from gateway.admission.instructions import NO_INSTRUCTIONS, pin_of
from gateway.artifact.bundle_data import DATA
from gateway.artifact.reviewed_texts_file import REVIEWED, read_catalog


def pinned(number: int) -> dict[str, Any]:
    return {"pin": {"sha256": f"{number:064}", "parts": {"description": f"{number:064}"}}}


TARGETS: dict[str, Any] = {
    "tools": {"read": pinned(1), "loose": {"pin": None}},
    "prompts": {"read": pinned(2)},
    "resources": {"note://a": pinned(3), "file:///x": {"pin": None}},
    "resource_prefixes": [{"prefix": "note://", **pinned(4)}, {"prefix": "note://by/", **pinned(5)}],
    "tasks": None,
}
WORDS: dict[str, Any] = {
    "notes": {
        "tools": {"read": {"description": "tool"}},
        "prompts": {"read": {"description": "prompt"}},
        "resources": {"NOTE://a": {"description": "resource"}, "note://by/*": {"description": "longest"}},
        "instructions": "Obey.",
    }
}


def files(words: dict[str, Any] | None = WORDS, instructions: str | None = None) -> dict[str, bytes]:
    stated = None if instructions is None else {"sha256": instructions}
    data = {"catalog": {"targets": {"notes": TARGETS}, "servers": {"notes": {"instructions": stated}}}}
    carried = {} if words is None else {REVIEWED: orjson.dumps(words)}
    return {DATA: orjson.dumps(data), **carried}


@pytest.mark.parametrize(
    ("kind", "target", "number", "words"),
    [
        ("tool", "read", 1, "tool"),
        ("prompt", "read", 2, "prompt"),
        ("resource", "note://a", 3, "resource"),
        ("resource", "note://b", 4, ""),
        ("resource", "note://by/name", 5, "longest"),
        ("resource", "note://by/{name}", 5, "longest"),
    ],
)
def test_the_entry_of_a_target_is_the_one_that_policy_finds(kind: str, target: str, number: int, words: str) -> None:
    entry = read_catalog(files()).entry("notes", kind, target)
    assert entry == {**pinned(number), "reviewed": {"description": words} if words else {}}


@pytest.mark.parametrize(
    ("server", "kind", "target"),
    [
        ("notes", "tool", "loose"),
        ("notes", "tool", "other"),
        ("notes", "resource", "file:///x"),
        ("notes", "resource", "http://x"),
        ("notes", "task", "read"),
        ("notes", "none", ""),
        ("other", "tool", "read"),
        ("other", "instructions", ""),
        ("notes", "instructions", ""),
    ],
)
def test_a_target_without_a_pin_has_no_entry(server: str, kind: str, target: str) -> None:
    assert read_catalog(files()).entry(server, kind, target) is None


def test_pinned_instructions_are_a_definition_with_one_part() -> None:
    pin = pin_of("Obey.")
    catalog = read_catalog(files(instructions=pin))
    assert catalog.entry("notes", "instructions", "") == {
        "pin": {"sha256": pin, "parts": {"instructions": pin}},
        "reviewed": {"instructions": "Obey."},
    }
    none = read_catalog(files({}, NO_INSTRUCTIONS)).entry("notes", "instructions", "")
    assert none == {"pin": {"sha256": NO_INSTRUCTIONS, "parts": {}}, "reviewed": {}}


def test_a_bundle_without_the_file_differs_from_a_file_without_the_texts() -> None:
    assert read_catalog(files(None)).words is None
    assert read_catalog(files({})).words == {}
    assert read_catalog(files({})).entry("notes", "tool", "read") == {**pinned(1), "reviewed": {}}
