"""Check the values of tests in conditions: hosts, domains and roots must be in the form that facts have.

Rule 1: a value that is compared with a fact must have the form of the fact. The error for another form shows that form.
Rule 2: tests nest only as deep as the policy library evaluates them. An element of a list is never absent.
"""

from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

from gateway.admission.host_names import host_name, ipv4_address, ipv6_address
from gateway.admission.normal_paths import normal_path
from gateway.admission.sql_statements import is_available
from gateway.policy.rules.rule_conditions import DEEPEST, ELEMENTS, SQL, ConditionTest
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem

MOST_NUMBERS: Final = 5
"""The largest count of numbers in a path: each may be the index of a list or the key of an object."""
_FACTS: Final = ("host", "domain", "within")

Wrong = tuple[str, str]
"""The problem of a value, and the remedy."""


def condition_values(environment: Environment) -> Iterator[Problem]:
    """Yield the problems of the values in the conditions of an environment's rules."""
    for document, pointer, test in environment.tests("absent"):
        if ELEMENTS & {*test.outer}:
            remedy = "Remove it. Write `length` for the number of elements, or `equals: null` for null."
            yield document.problem(pointer, "`absent` never holds for an element of a list.", remedy)
    for document, pointer, test in environment.every_test():
        if len(test.outer) == DEEPEST:
            said = f"tests are nested deeper than {DEEPEST} levels."
            yield document.problem(pointer, said, "Remove double negations, or write several conditions.")
        if test.word in _FACTS:
            yield from _names(document, pointer, test)
        elif test.word == SQL and not is_available():
            said = "this installation has no SQL parser, so the statements cannot be analyzed."
            yield document.problem(pointer, said, "Install the extra: pip install 'mcp-admission[sql]'.")
        if not test.outer:
            yield from _numbers(document, pointer, test)


def _names(document: Document, pointer: str, test: ConditionTest) -> Iterator[Problem]:
    for number, name in enumerate(test.operand):
        wrong = _JUDGES[test.word](name)
        if wrong is not None:
            what, remedy = wrong
            yield document.problem(f"{pointer}/{number}", f"`{name}` {what}.", remedy)


def _numbers(document: Document, pointer: str, test: ConditionTest) -> Iterator[Problem]:
    if sum(part.isdecimal() for part in test.path.split("/")) > MOST_NUMBERS:
        said = f"the path `{test.path}` has more than {MOST_NUMBERS} numbers."
        place = f"{pointer.rpartition('/')[0]}/path"
        yield document.problem(place, said, "Write `any_element` or `every_element` for the elements of lists.")


def _host(text: str) -> Wrong | None:
    if _is_compared(text):
        return None
    what = "is not a host in normal form"
    if "@" in text and "://" not in text:
        return f"{what}: it contains an `@`", _write(text.rpartition("@")[2], "domain") or _OF_HOSTS
    if text.rpartition("/")[2].isdecimal():
        return f"{what}: networks are not supported", _OF_HOSTS
    bare = text
    if "://" in text or "/" in text:
        bare = urlsplit(text if "://" in text else f"//{text}").netloc.rpartition("@")[2]
    return what, _write(_without_port(bare)) or _OF_HOSTS


def _domain(text: str) -> Wrong | None:
    if _is_compared(text) and not _is_address(text):
        return None
    what = "is not the domain of a mail address in normal form"
    bare = text.rpartition("@")[2] if "@" in text else urlsplit(text).netloc if "://" in text else text
    written = "" if _is_address(bare) else _write(_without_port(bare))
    return what, written or "Write a name such as example.com or *.example.com, without `@`."


def _root(text: str) -> Wrong | None:
    normal = normal_path(text)
    if normal == text:
        return None
    if normal is not None:
        return "is not a normal path", f"Write `{normal}`."
    remedy = "Write it without `..` above its start, `\\`, `:`, `~`, `%`, `$`, wildcards or control characters."
    return "is not a path that all programs interpret in the same way", remedy


_JUDGES: Final[dict[str, Callable[[str], Wrong | None]]] = {"host": _host, "domain": _domain, "within": _root}
_OF_HOSTS: Final = "Write a name such as api.example.com or *.example.com, or an IP address: no scheme, port or path."


def _is_compared(text: str) -> bool:
    """Return whether a fact may have this text, or be a subdomain of it if it begins with `*.`."""
    if _is_address(text):
        return True
    name = text.removeprefix("*.")
    return host_name(name) == name


def _is_address(text: str) -> bool:
    return text in {ipv4_address(text), ipv6_address(text)}


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _write(text: str, word: str = "") -> str:
    """Return the remedy for a text that names a host in another form; empty if it does not name a host."""
    start = "*." if text.startswith(("*.", ".")) else ""
    name = text.removeprefix("*").removeprefix(".") if start else text
    found = ipv4_address(name) or ipv6_address(name) or host_name(name) or host_name(name.lower())
    said = f"Write `{word + ': ' if word else ''}{start}{found}`" if found else ""
    return f"{said}." if said else ""
