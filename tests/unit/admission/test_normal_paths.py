"""The normal form of a path is not fooled by known ways to leave a directory."""

# ruff: noqa: RUF001 - characters that look like others are what is tested

import pytest

from gateway.admission.normal_paths import LONGEST, normal_path

PATHS = {
    "a": "a",
    "a/b": "a/b",
    "./a": "a",
    "a/": "a",
    "a//b": "a/b",
    "a/./b/.": "a/b",
    "a/../b": "b",
    "a/b/../../c": "c",
    "a/..": ".",
    ".": ".",
    "./": ".",
    "/": "/",
    "/a/": "/a",
    "/a/../../b": "/b",
    "/..": "/",
    "/./": "/",
    "notes/../welcome.md": "welcome.md",
    ".hidden/x": ".hidden/x",
    "..a/b": "..a/b",
    "a b/c d": "a b/c d",
    "Übung/straße": "Übung/straße",
    "a/-rf": "a/-rf",
    "a/b*?": "a/b*?",
}

NONE = (
    *("", "..", "../a", "./../a", "a/../..", "a/../../b", "a/b/../../../c", "./..", "..//a"),
    *("//a", "//server/share", "///a", "\\a", "a\\b", "..\\a", "a\\..\\b", "\\\\server\\share", "a/..\\b"),
    *(
        "C:",
        "C:/a",
        "c:a",
        "/C:/a",
        "a/c:/b",
        "file:a",
        "file:///etc/passwd",
        "http://example.com/a",
        "a:stream",
        "a::$DATA",
    ),
    *("~", "~/a", "~root/a", "a/~", "PROGRA~1/a", "a~"),
    *(
        "%2e%2e/a",
        "%2E%2E/a",
        "a/%2e%2e/b",
        "a%2fb",
        "a%5cb",
        "%252e%252e/a",
        "%c0%ae%c0%ae/a",
        "%u002e%u002e/a",
        "a%00",
    ),
    *("%TEMP%/a", "$HOME/a", "${HOME}/a", "a/$(id)"),
    *(
        "a\x00",
        "a\x00b",
        "a\n",
        "\na",
        "a\tb",
        "a\rb",
        "a\x7f",
        "a\x1fb",
        "a\u0085b",
        "a\u2028b",
        "a\u200bb",
        "a\u202eb",
        "a\ufeff",
    ),
    *("a\u0301/b", "a\u00a0b", "ａ/b", "．．/a", "․․/a", "a／b", "…/a", "a\ud800"),
    *("a.", "a./b", "a/...", ".../a", ". ./a", ".. /a", "a /b", "a/b ", " a", "a/ b", " /a", " ../a", "/ a"),
    "a" * (LONGEST + 1),
)


@pytest.mark.parametrize(("path", "normal"), PATHS.items())
def test_a_path_has_the_normal_form_of_posix(path: str, normal: str) -> None:
    assert normal_path(path) == normal


@pytest.mark.parametrize("path", NONE)
def test_a_path_that_servers_take_differently_has_no_normal_form(path: str) -> None:
    assert normal_path(path) is None
