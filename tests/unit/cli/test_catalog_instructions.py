"""The pin of a server's instructions in its catalog entry, with the text for review."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.admission.instructions import NO_INSTRUCTIONS, pin_of
from gateway.admission.visible_text import is_unseen
from gateway.cli.catalog.difference import PinDifference
from gateway.cli.catalog.document import entry, read, written
from gateway.cli.catalog.instructions import changed_lines, instructions_difference, pin_instructions
from gateway.cli.catalog.report import difference_json, difference_lines
from tests.unit.cli.test_catalog_document import ABOUT, TOOL, reread, things

TEXT = "Call `search` first.\n\ntools: {x: 1} # then `get`"


def pinned(instructions: object) -> str:
    document = entry(ABOUT, things(TOOL))
    pin_instructions(document, instructions, at=list(document).index("trust") + 1)
    return written(document)


def test_an_entry_holds_the_pin_and_the_text() -> None:
    text = pinned(TEXT)
    assert reread(text)["instructions"] == {"sha256": pin_of(TEXT), "reviewed": TEXT}
    assert set(reread(text)["tools"]) == {"get_note"}
    assert "  reviewed: |-\n    Call `search` first.\n" in text
    assert "#" not in text.replace("# then", "")


def test_a_text_that_a_catalog_cannot_hold_is_shown_in_comments() -> None:
    text = pinned("Use xoxb-123456789012-abcdef.\n\nThen go.")
    assert reread(text)["instructions"] == {"sha256": pin_of("Use xoxb-123456789012-abcdef.\n\nThen go.")}
    comments = [line for line in text.splitlines() if line.startswith("#")]
    assert pin_of("Use xoxb-123456789012-abcdef.\n\nThen go.")[:12] in comments[0]
    assert comments[1:] == ["#   Use xoxb-123456789012-abcdef.", "#   Then go."]


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_server_without_instructions_is_pinned_to_none(nothing: object) -> None:
    text = pinned(nothing)
    assert reread(text)["instructions"] == {"sha256": NO_INSTRUCTIONS, "reviewed": ""}


def test_renewing_replaces_the_digest_and_shows_the_new_text() -> None:
    document = read(pinned(TEXT).replace("\ntools:", "\n# ours\ntools:"))
    assert changed_lines(document, TEXT) == []
    lines = changed_lines(document, "Other.\x1b[2J")
    assert "+ instructions: Other.\\u001b[2J" in lines
    pin_instructions(document, "Other.")
    again = written(document)
    assert reread(again)["instructions"] == {"sha256": pin_of("Other."), "reviewed": "Other."}
    assert "# ours" in again


def test_renewing_with_the_same_text_changes_nothing() -> None:
    document = read(pinned(TEXT))
    pin_instructions(document, TEXT)
    assert written(document) == pinned(TEXT)


def test_renewing_an_entry_without_a_pin_adds_one() -> None:
    document = read(written(entry(ABOUT, things(TOOL))))
    assert changed_lines(document, TEXT)
    pin_instructions(document, TEXT)
    found = reread(written(document))
    assert (found["instructions"], set(found["tools"])) == ({"sha256": pin_of(TEXT), "reviewed": TEXT}, {"get_note"})


@settings(deadline=None)
@given(
    st.one_of(
        st.text(max_size=300), st.lists(st.text(max_size=9)), st.integers(), st.just("a\r\nb: c\u2028d: e\x85f: g")
    )
)
def test_no_instructions_break_out_of_their_place(instructions: Any) -> None:
    text = pinned(instructions)
    assert not any(is_unseen(letter) for letter in text if letter != "\n")
    found = reread(text)
    assert found["instructions"]["sha256"] == pin_of(instructions)
    assert found["instructions"].get("reviewed", instructions) == instructions
    assert set(found) == {"server", "title", "url", "owner", "trust", "instructions", "tools"}


def test_long_instructions_are_cut_for_the_review() -> None:
    assert "... and 1000 more characters" in pinned("xoxb-123456789012-abcdef word " + "word " * 994)


@pytest.mark.parametrize(
    ("pin", "shown", "state", "classes"),
    [
        (TEXT, TEXT, "unchanged", ()),
        (TEXT, "Other.", "drifted", ("description",)),
        (None, "Other.", "added", ("added",)),
        (TEXT, None, "removed", ("removed",)),
    ],
)
def test_a_change_of_instructions_is_a_difference(
    pin: str | None, shown: object, state: str, classes: tuple[str, ...]
) -> None:
    (found,) = instructions_difference({"instructions": {"sha256": pin_of(pin)}}, shown)
    assert (found.section, found.state, found.classes) == ("instructions", state, classes)


def test_instructions_that_were_never_reviewed_are_unpinned() -> None:
    (found,) = instructions_difference({}, TEXT)
    assert found == PinDifference(section="instructions", key="", state="unpinned")


def test_no_instructions_are_no_difference_to_none() -> None:
    assert instructions_difference({}, None) == []
    assert instructions_difference({"instructions": {"sha256": NO_INSTRUCTIONS}}, "") == []


def test_a_changed_text_is_shown_as_a_line_and_as_json() -> None:
    (found,) = instructions_difference({"instructions": {"sha256": pin_of(TEXT)}}, "Other.")
    line, *more, _ = difference_lines("notes", [found], color=False)
    assert more == [
        "    ? instructions: its reviewed words are not in the catalog",
        "    + instructions: Other.",
    ]
    assert line == "notes: drifted    instructions  (description: instructions)"
    told = difference_json("notes", found)
    assert (told["section"], told["state"], told["drift"]) == ("instructions", "drifted", True)
