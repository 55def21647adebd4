"""Valid policy inputs, drawn from the types that say what is valid.

Rule 1: whatever the types take is drawn; a field that they gain is drawn without a change here.
Rule 2: texts are often ones that the generated worlds know, so that questions meet policies.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import inspect

from gateway.admission.policy_input import PolicyInput
from gateway.protocol.methods import METHODS
from tests.property.worlds import NOW_NS, PINS, PROMPTS, SERVERS, TOOLS, URIS

_WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "method": tuple(sorted({row.name for row in METHODS})),
    "id": (*SERVERS, "gone"),
    "name": (*TOOLS, *PROMPTS, "roots/list", "sampling/createMessage"),
    "uri": (*URIS, "other://x"),
    "sha256": PINS,
    "groups": ("staff", "guests"),
    "revision": ("2025-03-26", "2025-11-25", "2026-07-28"),
    "weekday": ("monday", "friday"),
}
"""Field -> texts that mean something there."""
_HOUR_NS: Final = 3_600_000_000_000
_TEXT: Final = st.text(max_size=3)
_MOMENTS: Final = st.integers(-100, 100).map(lambda hours: NOW_NS + hours * _HOUR_NS) | st.integers(0, 2**63 - 1)
_LEAVES: Final = st.sampled_from((None, True, False, 0, -1.5, 2**53 - 1, 1e300, "", "x", "\u0000", "[", "*"))
_VALUES: Final = _LEAVES | st.lists(_LEAVES, max_size=2) | st.dictionaries(st.sampled_from("xyz"), _LEAVES, max_size=2)


def _texts(field: str) -> SearchStrategy[str]:
    words = st.sampled_from(_WORDS[field]) if field in _WORDS else st.nothing()
    return st.one_of(words, words, words, _TEXT)


def _numbers(field: str) -> SearchStrategy[int]:
    return _MOMENTS if field == "unix_ns" else st.integers(0, 2**31)


_PLAIN: Final[Mapping[type[inspect.Type], Callable[[str], SearchStrategy[Any]]]] = {
    inspect.StrType: _texts,
    inspect.IntType: _numbers,
    inspect.BoolType: lambda _: st.booleans(),
    inspect.NoneType: lambda _: st.none(),
    inspect.AnyType: lambda _: _VALUES,
}


def _of(kind: inspect.Type, field: str) -> SearchStrategy[Any]:
    match kind:
        case inspect.StructType():
            return st.fixed_dictionaries({each.encode_name: _of(each.type, each.encode_name) for each in kind.fields})
        case inspect.LiteralType():
            return st.sampled_from(sorted(kind.values))
        case inspect.UnionType():
            return st.one_of(*(_of(each, field) for each in kind.types))
        case inspect.ListType():
            return st.lists(_of(kind.item_type, field), max_size=1)
        case inspect.DictType():
            return st.dictionaries(_TEXT, _of(kind.value_type, field), max_size=1)
        case _:
            return _PLAIN[type(kind)](field)


def inputs() -> SearchStrategy[dict[str, Any]]:
    """Policy inputs as OPA reads them; half of them by the caller whom the generated worlds know."""
    drawn = _of(inspect.type_info(PolicyInput), "")
    known = {"kind": "anonymous", "method": "none", "credential_sha256": None, "issuer": None, "subject": None}
    return drawn | drawn.map(lambda each: each | {"principal": each["principal"] | known})
