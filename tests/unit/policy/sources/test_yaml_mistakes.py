"""YAML is read as its author means it, or refused with the fix."""

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.policy.sources.document import Document, read_document
from gateway.policy.sources.environment import Environment, EnvironmentReader

Put = Callable[[str, str], Path]


def read(text: str) -> Any:
    document = read_document("f.yaml", text.encode())
    return document.value if isinstance(document, Document) else [str(problem) for problem in document]


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ("a: [*]", 1, 'Quote it: "*".'),
        ("a: *", 1, 'Quote it: "*".'),
        ("b: 1\n- *", 2, ""),
        ("a:\n  - *.md", 2, 'If it is a glob, quote it: "*.md"'),
        ("a: [get_*, *_list]", 1, 'If it is a glob, quote it: "*_list"'),
        ("a: &all", 1, "If the `&` is part of the value, quote it"),
        ("a: @alice", 1, 'Quote it: "@alice".'),
        ("a: `x`", 1, 'Quote it: "`x`".'),
        ("a: %x", 1, 'Quote it: "%x".'),
        ("a: !x y", 1, "quote the value if it is a string"),
        ("a:\n\tb: 1", 2, "Use spaces"),
        ("a: 1\n\tb: 2", 2, "Use spaces"),
        ("a:\n  - b\n\t- c", 3, "Use spaces"),
        ("a:\n  \t- c", 2, "Use spaces"),
        ("a: b: c", 1, "put a value that contains `: ` in quotes"),
        ("a: {{X}}", 1, "Replace a `{{placeholder}}`"),
        ("a: {u: ${X}}", 1, "Replace the placeholder"),
        ("a: 0123", 1, "without the leading zero"),
        ("a: -07", 1, "without the leading zero"),
        ("0123: a", 1, "without the leading zero"),
        ("a: \u201cx\u201d", 1, "Use the straight quotes"),
        ("a: [\u2018x, y\u2019]", 1, "Use the straight quotes"),
        ("\u201ca\u201d: x", 1, "Use the straight quotes"),
        ("a: x\u00a0y", 1, "no-break space"),
        ("a:\u00a0x", 1, "no-break space"),
        ("a: 1\nb: 'x\u200by'", 2, "zero width space"),
        ("a: x # \u202edeny", 1, "right-to-left override"),
        ("a: x\ufe0f", 1, "variation selector"),
        ("a: \u3164", 1, "hangul filler"),
        ("a: x\ufeff", 1, "zero width no-break space"),
        ("a: x\u2028b: y", 1, "line separator"),
        ("a: x\x85b: y", 1, "a control character"),
        ("a: 1\n---\nb: 2", 2, "one document per file"),
        ("a: &x 1\nb: *x", 1, "Write the value out"),
        ("<<: {a: 1}", 1, "Write the values out"),
        ("a: 1\na: 2", 2, "Keep one of them"),
    ],
)
def test_a_mistake_is_refused_with_what_to_write_instead(text: str, line: int, remedy: str) -> None:
    found = read(text)
    assert any(each.startswith(f"f.yaml:{line}: ") and remedy in each for each in found), found


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\ufeffa: 1\n", 1),
        ("a: 1\r\nb: 2\r\n", 1),
        ("a: NO\n", "NO"),
        ("a: on\n", "on"),
        ("a: y\n", "y"),
        ("a: 12:30:45\n", "12:30:45"),
        ("a: 08:00-18:00\n", "08:00-18:00"),
        ("a: 1_000\n", "1_000"),
        ("a: 2026-12-20\n", "2026-12-20"),
        ("a: 2026-12-20T00:00:00Z\n", "2026-12-20T00:00:00Z"),
        ("a: 0o17\n", 15),
        ("a: 0x1f\n", 31),
        ("a: '0123'\n", "0123"),
        ('a: "x\\u00a0y"\n', "x\u00a0y"),
        ("a: caf\u00e9 \U0001f600 don\u2019t\n", "caf\u00e9 \U0001f600 don\u2019t"),
        ("a: '*'\n", "*"),
        ("a: get_*\n", "get_*"),
    ],
)
def test_an_unambiguous_value_is_read(text: str, value: Any) -> None:
    assert read(text)["a"] == value


@given(st.characters(categories=["Cf", "Zl", "Zp", "Zs", "Cc"], exclude_characters=" \t\n\r"), st.integers(0, 2))
def test_no_unseen_character_is_read_unescaped(letter: str, kind: int) -> None:
    text = ("a: x{}y", "a: 'x{}y'", "a: |\n  x{}y\n")[kind].format(letter)
    assert f"U+{ord(letter):04X}" in "".join(read(text))
    escape = f"\\U{ord(letter):08x}"
    assert read(f'a: "x{escape}y"\n') == {"a": f"x{letter}y"}, unicodedata.name(letter, "")


def problems(policy: Path) -> list[str]:
    found = EnvironmentReader().read(policy, "dev")
    return [] if isinstance(found, Environment) else [str(each) for each in found]


SERVER = "server: s\nurl: {url}\nowner: {owner}\n"


@pytest.mark.parametrize(
    "url",
    [
        "https://${HOST}/mcp",
        "https://$(host)/mcp",
        "https://{{ host }}/mcp",
        "https://CHANGEME/mcp",
        "https://CHANGE_ME.example.com/mcp",
        "https://YOUR-HOST/mcp",
        "https://your-host/mcp",
        "https://mcp.your-company.com/mcp",
        "https://%HOST%/mcp",
        "'https://<your-host>/mcp'",
    ],
)
def test_a_placeholder_in_a_url_is_a_problem(policy: Path, put: Put, url: str) -> None:
    put("bundles/dev/catalog/s.yaml", SERVER.format(url=url, owner="a@example.com"))
    found = problems(policy)
    assert any("catalog/s.yaml:2: " in each and "is a placeholder. Write the actual value" in each for each in found)


@pytest.mark.parametrize("owner", ["TODO", "'<owner>'", "CHANGEME", "xxx", "'@OWNER@'", "__owner__", "$OWNER", "'...'"])
def test_a_placeholder_in_another_value_is_a_problem(policy: Path, put: Put, owner: str) -> None:
    put("bundles/dev/catalog/s.yaml", SERVER.format(url="https://s.example.com/mcp", owner=owner))
    assert any("s.yaml:3: " in each and "is a placeholder" in each for each in problems(policy))


def test_a_text_that_resembles_a_placeholder_is_accepted(policy: Path, put: Put) -> None:
    put("bundles/dev/catalog/s.yaml", SERVER.format(url="https://todo.example.com/mcp", owner="mastodon@example.com"))
    put(
        "bundles/dev/rules/s.yaml",
        "rules:\n  - rule: todo-list\n    effect: deny\n    reason: Ask for <name> or ${HOST}, see the TODO.\n"
        '    arguments: [{path: /a, prefix: "${A}"}, {path: /b, matches: "^<b>$"}]\n',
    )
    put("bundles/dev/data/own.yaml", 'pattern: "^<b>$"\ntemplate: "Hello {{ name }}"\n')
    assert problems(policy) == []
    put("bundles/dev/data/own.yaml", "host: ${HOST}\n")
    assert "data/own.yaml:1: `${HOST}` is a placeholder" in "".join(problems(policy))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("environment.yaml", "name: dev\nrequire_pins: yes\n", "Write `true`, without quotes."),
        ("environment.yaml", "name: dev\nrequire_pins: 'false'\n", "Write `false`, without quotes."),
        ("environment.yaml", "name: dev\nrequire_pins: OFF\n", "Write `false`, without quotes."),
        ("catalog/s.yaml", "server: 12\nurl: https://s.example.com\nowner: a\n", "Put it in quotes."),
        ("catalog/s.yaml", "server: s\nurl: https://s.example.com\nowner:\n", "The value is missing"),
        ("catalog/s.yaml", "server: s\nurl: https://s.example.com\nowner: a\ntags: x\n", "put the value in brackets"),
        ("catalog/s.yaml", "server: s\nurl: https://s.example.com\nowner: a\ntimeout_s: 1:30\n", "a decimal number"),
        ("catalog/s.yaml", "server: s\nurl: https://s.example.com\nowner: a\ntags: [1.10]\n", "Put it in quotes."),
    ],
)
def test_a_value_of_another_type_is_refused_with_how_to_write_it(
    policy: Path, put: Put, file: str, text: str, said: str
) -> None:
    put(f"bundles/dev/{file}", text)
    assert said in "".join(problems(policy))
