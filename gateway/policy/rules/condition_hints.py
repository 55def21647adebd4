"""Find conditions that probably do not have the intended meaning: texts compared instead of paths, URLs or addresses.

Rule 1: these checks warn and never refuse: only a person knows how a server interprets an argument.
Rule 2: one file, host or mailbox has many spellings as a text. The facts that the gateway derives have exactly one.
"""

import re
from collections.abc import Iterator
from typing import Final

from gateway.policy.rules.rule_conditions import TEXTS, ConditionTest
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem

_NAMES: Final = (
    ("host", re.compile(r"(?:^|_)(?:urls?|uris?|hrefs?|links?|endpoints?|webhooks?|callbacks?|sites?)(?:_|$)")),
    ("domain", re.compile(r"(?:^|_)(?:e?mails?|to|cc|bcc|recipients?|addresses|address|attendees?|invitees?)(?:_|$)")),
    ("within", re.compile(r"(?:^|_)(?:paths?|files?|filenames?|dirs?|director(?:y|ies)|folders?)(?:_|$)")),
)
"""Word to use -> the names of arguments (the last part of a pointer) that suggest it."""
_TEXTS: Final = (
    ("host", re.compile(r"https?:|://")),
    ("domain", re.compile(r"@")),
    ("within", re.compile(r"^\^?\.{0,2}/|[\w*]/")),
)
"""Word to use -> the compared texts that suggest it."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WAYS: Final = {
    "host": "a URL can contain this text before or after an `@` or in its query, or its host in other letters",
    "domain": "an address can continue with another domain, or have the same domain in other letters",
    "within": "`/reports/../etc` also begins with `/reports/`",
}
_INSTEAD: Final = {
    "host": "Write `host: [...]`.",
    "domain": "Write `domain: [...]`.",
    "within": "Write `within: [...]`.",
}
_EVERYTHING: Final = frozenset({"", ".*", "^.*", ".*$", "^.*$", "^", "$", "(?s).*", "(?s)^.*$"})


def condition_hints(environment: Environment) -> Iterator[Problem]:
    """Yield warnings for text comparisons that should be another test, and for tests that are always true."""
    for document, pointer, test in environment.every_test():
        word = meant(test)
        if word:
            said = f"`{test.word}` compares the text of `{test.path}` as written: {_WAYS[word]}."
            yield document.problem(pointer, said, _INSTEAD[word])
        if is_always_true(test):
            said = f"`{test.word}` of `{test.path}` is true for every value of its type."
            remedy = "Remove it. To require the argument, write `not: {absent: true}`."
            yield document.problem(pointer, said, remedy)


def meant(test: ConditionTest) -> str:
    """Return the word that should probably replace a text comparison; empty if the comparison is probably right."""
    if test.word not in TEXTS or _is_whole(test):
        return ""
    names = [part for part in test.path.split("/") if not part.isdecimal()]
    name = _HUMP.sub("_", names[-1]).lower().replace("-", "_") if names else ""
    by_text = (word for word, pattern in _TEXTS if pattern.search(str(test.operand)))
    by_name = (word for word, pattern in _NAMES if pattern.search(name))
    return next(iter((*by_text, *by_name)), "")


def _is_whole(test: ConditionTest) -> bool:
    """Return whether a test covers the whole text: without a wildcard, or an expression anchored at both ends."""
    text = str(test.operand)
    if test.word == "glob":
        return not {"*", "?"} & {*text} or is_always_true(test)
    return test.word == "matches" and (is_always_true(test) or (text.startswith("^") and text.endswith("$")))


def is_always_true(test: ConditionTest) -> bool:
    """Return whether a test is true for every value that it applies to."""
    match test.word:
        case "glob":
            return not test.operand.strip("*")
        case "matches":
            return test.operand in _EVERYTHING
        case "length":
            return test.operand.get("at_least") == 0
        case "within":
            return {"/", "."} <= {*test.operand}
        case _:
            return False
