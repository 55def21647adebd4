"""Conditions that probably do not mean what they read like: texts compared where paths, URLs or addresses are meant.

Rule 1: this reports and never refuses: only a person knows what a server makes of an argument.
Rule 2: a text has many spellings of one file, host or mailbox; the facts that the gateway finds out have one.
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
"""What the last part of a pointer says of its argument -> the word to use."""
_TEXTS: Final = (
    ("host", re.compile(r"https?:|://")),
    ("domain", re.compile(r"@")),
    ("within", re.compile(r"^\^?\.{0,2}/|[\w*]/")),
)
"""What the text that is compared says of its argument."""
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WAYS: Final = {
    "host": "a host can be written before or behind an `@`, with other letters and in a query",
    "domain": "an address can have another domain behind such a text, or the same one in other letters",
    "within": "`/reports/../etc` begins with `/reports/`, too",
}
_INSTEAD: Final = {
    "host": "Write `host: [...]`.",
    "domain": "Write `domain: [...]`.",
    "within": "Write `within: [...]`.",
}
_EVERYTHING: Final = frozenset({"", ".*", "^.*", ".*$", "^.*$", "^", "$", "(?s).*", "(?s)^.*$"})


def condition_hints(environment: Environment) -> Iterator[Problem]:
    """Yield what conditions probably do not mean, and tests that every value of their type passes."""
    for document, pointer, test in environment.every_test():
        word = meant(test)
        if word:
            said = f"`{test.word}` compares the text of `{test.path}` as it is written: {_WAYS[word]}."
            yield document.problem(pointer, said, _INSTEAD[word])
        if is_always_true(test):
            said = f"`{test.word}` of `{test.path}` holds for every value that it can judge."
            remedy = "Leave it out; write `not: {absent: true}` for an argument that must be there."
            yield document.problem(pointer, said, remedy)


def meant(test: ConditionTest) -> str:
    """Return the word that a comparison of texts should probably be; empty if it is probably right."""
    if test.word not in TEXTS or _is_whole(test):
        return ""
    names = [part for part in test.path.split("/") if not part.isdecimal()]
    name = _HUMP.sub("_", names[-1]).lower().replace("-", "_") if names else ""
    by_text = (word for word, pattern in _TEXTS if pattern.search(str(test.operand)))
    by_name = (word for word, pattern in _NAMES if pattern.search(name))
    return next(iter((*by_text, *by_name)), "")


def _is_whole(test: ConditionTest) -> bool:
    """Return whether a test says how the whole text has to be: no wildcard, or an expression with both ends."""
    text = str(test.operand)
    if test.word == "glob":
        return not {"*", "?"} & {*text} or is_always_true(test)
    return test.word == "matches" and (is_always_true(test) or (text.startswith("^") and text.endswith("$")))


def is_always_true(test: ConditionTest) -> bool:
    """Return whether a test holds for every value that it can judge."""
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
