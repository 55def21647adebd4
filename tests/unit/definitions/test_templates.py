"""Resource templates and the URIs that they match."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.definitions.templates import literal_length, matches


@pytest.mark.parametrize(
    ("template", "uri", "want"),
    [
        ("test://template/{id}/data", "test://template/42/data", True),
        ("test://template/{id}/data", "test://template//data", False),
        ("test://template/{id}/data", "test://template/a/b/data", False),
        ("test://template/{id}/data", "test://template/42/data/more", False),
        ("test://template/{id}/data", "test://template/42", False),
        ("test://template/{id}", "test://template/", False),
        ("test://template/{id}", "test://template/a?b", False),
        ("file:///{+path}", "file:///a/b/c.md", True),
        ("file:///{path*}", "file:///a/b/c.md", True),
        ("file://{/path*}", "file:///a/b", True),
        ("search://{q}{?limit,offset}", "search://abc?limit=3", True),
        ("search://{q}{?limit,offset}", "search://abc", True),
        ("a://{x}-{y}", "a://1-2-3", True),
        ("a://{x}{y}", "a://12", True),
        ("a://{x}{y}", "a://1", False),
        ("a://plain", "a://plain", True),
        ("a://plain", "a://plain/more", False),
        ("a://{unclosed", "a://x", False),
        ("a://{}", "a://anything/at/all", True),
        ("{x}", "a", True),
        ("{x}", "a/b", False),
        ("", "", True),
        ("", "a", False),
    ],
)
def test_a_template_matches_its_expansions(template: str, uri: str, want: bool) -> None:
    assert matches(template, uri) is want


SEGMENT = st.text(st.characters(exclude_characters="/?#{}"), min_size=1, max_size=5)


@given(st.lists(SEGMENT, min_size=1, max_size=5), st.lists(SEGMENT, min_size=5, max_size=5))
def test_every_expansion_of_level_1_expressions_matches(literals: list[str], values: list[str]) -> None:
    template = "/".join(f"{literal}/{{v{number}}}" for number, literal in enumerate(literals))
    uri = "/".join(f"{literal}/{value}" for literal, value in zip(literals, values, strict=False))
    assert matches(template, uri)


@given(st.text(), st.text())
def test_any_template_and_any_uri_give_an_answer(template: str, uri: str) -> None:
    assert matches(template, uri) in {True, False}
    assert literal_length(template) <= len(template)


def test_a_hostile_template_takes_linear_time() -> None:
    start = time.process_time()
    matches("a" + "{x}a" * 5_000 + "b", "a" * 8_000)
    assert time.process_time() - start < 1
