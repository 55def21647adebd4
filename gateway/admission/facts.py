"""Facts about string arguments that Rego cannot compute: host of a URL, domain of an address, normal path, SQL.

Rule 1: a fact is computed only if the policy reads it (`needs_facts` of its decision), from exactly those arguments
that are judged and forwarded.
Rule 2: a string that readers may understand differently has no fact, so it is unknown to the policy.
Rule 3: the work is bounded. A list that is too long has no facts, and neither do strings beyond the limit of work.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import replace

from gateway.admission import normal_paths, url_hosts
from gateway.admission.decision import NeededFacts
from gateway.admission.mail_domains import mail_domain
from gateway.admission.normal_paths import normal_path
from gateway.admission.policy_input import PolicyInput, TextFacts
from gateway.admission.schema_properties import is_array, is_object
from gateway.admission.sql_statements import DIALECTS, Dialect, sql_kinds
from gateway.admission.url_hosts import url_host
from gateway.protocol.json_pointers import keys_of

ELEMENTS: Final = 100
"""Most elements of a list; a longer list has no facts."""
WORK: Final = 1000
"""Most cost of all strings of one question; strings after that have no facts."""
INTERNATIONAL: Final = 25
"""Cost of a string whose name may have non-ASCII characters; any other URL or address costs 1."""
PATH_PART: Final = 100
"""Number of path characters that cost 1: every second one may start a directory."""
NESTED: Final = 4
"""Deepest nesting of lists."""
PARSED: Final = 250
"""Cost of parsing a string as SQL, in one dialect."""
_INTERNATIONAL: Final = frozenset({"host", "domain"})


def _of_sql(dialect: Dialect) -> Callable[[str], list[str] | None]:
    def read(text: str) -> list[str] | None:
        kinds = sql_kinds(text, dialect)
        return None if kinds is None else [*kinds]

    return read


_READERS: Final[Mapping[str, Callable[[str], str | list[str] | None]]] = {
    "host": url_host,
    "domain": mail_domain,
    "path": normal_path,
    **{dialect: _of_sql(dialect) for dialect in DIALECTS},
}


def with_facts(question: PolicyInput, needed: Sequence[NeededFacts]) -> PolicyInput:
    """Return the question with the facts that the policy needs about its arguments."""
    return replace(question, facts=facts(question.arguments, needed))


def facts(arguments: Mapping[str, Any], needed: Sequence[NeededFacts]) -> dict[str, TextFacts]:
    """Return JSON pointer -> the facts of the string there, for the strings that have any."""
    found: dict[str, dict[str, Any]] = {}
    left = WORK
    for need in needed:
        for pointer, text in _strings(need.path, _at(arguments, need.path), NESTED):
            left -= _cost(text, need.facts)
            if left < 0:
                break
            known = {name: _READERS[name](text) for name in need.facts if name in _READERS}
            found.setdefault(pointer, {}).update({name: fact for name, fact in known.items() if fact is not None})
    return {pointer: TextFacts(**stated) for pointer, stated in found.items() if stated}


def _cost(text: str, names: Sequence[str]) -> int:
    parsed = PARSED * len({*DIALECTS} & {*names})
    is_plain = text.isascii() and (len(text) > url_hosts.LONGEST or "xn--" not in text.lower())
    of_name = 1 if is_plain or not _INTERNATIONAL & set(names) else INTERNATIONAL
    of_path = len(text) // PATH_PART if "path" in names and len(text) <= normal_paths.LONGEST else 0
    return parsed + of_name + of_path


def _at(arguments: Mapping[str, Any], pointer: str) -> Any:
    """Return the value at a JSON pointer (RFC 6901); None if there is none."""
    value: Any = arguments
    for segment in keys_of(pointer):
        if is_object(value):
            value = value.get(segment)
        elif is_array(value) and _is_index(segment, len(value)):
            value = value[int(segment)]
        else:
            return None
    return value


def _is_index(segment: str, count: int) -> bool:
    """Return whether a text is the number of an element as JSON pointers write it."""
    is_short = segment.isascii() and segment.isdigit() and len(segment) <= len(str(count))
    return is_short and str(int(segment)) == segment and int(segment) < count


def _strings(pointer: str, value: Any, room: int) -> Iterator[tuple[str, str]]:
    """Yield a string, or the strings of a list, each with its own pointer."""
    if isinstance(value, str):
        yield pointer, value
    elif is_array(value) and room and len(value) <= ELEMENTS:
        for number, element in enumerate(value):
            yield from _strings(f"{pointer}/{number}", element, room - 1)
