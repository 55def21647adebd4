"""Whatever keys a message has, the short ways to find no ambiguous one find what a look at every key finds."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final, cast

from hypothesis import example, given
from hypothesis import strategies as st

from gateway.protocol.ambiguous_results import _JUDGED as JUDGED
from gateway.protocol.ambiguous_results import misleading
from gateway.protocol.json_values import as_object
from gateway.protocol.key_folding import RESERVED, clashing, fold
from gateway.protocol.request_envelope import is_id
from gateway.protocol.task_places import RELATED, misspelt_task_key

_TASK_KEYS: Final = {fold(key): key for key in ("taskId", "taskIds", RELATED)}


def _variants(key: str) -> list[str]:
    return [key, key.upper(), key.lower(), key.swapcase(), f"{key}\u200b", key.replace("s", "\u017f")]


KEYS = (
    st.sampled_from([variant for key in sorted(RESERVED) for variant in _variants(key)])
    | st.sampled_from(["text", "Text", "TEXT", "1", "\u0130d", "id", "taskids", "e\u0301", "\u00e9"])
    | st.text(max_size=3)
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
PLACES = st.dictionaries(st.sampled_from(["_meta", "task", "notifications"]), OBJECTS | st.none())


def _holder(members: dict[str, Any], places: dict[str, Any], related: dict[str, Any] | None) -> dict[str, Any]:
    holder = {**members, **places}
    if related is not None:
        holder["_meta"] = {**(as_object(holder.get("_meta")) or {}), RELATED: related}
    return holder


HOLDERS = st.builds(_holder, OBJECTS, PLACES, OBJECTS | st.none())


RESULT_KEYS = st.sampled_from(
    [variant for key in sorted({*JUDGED, "content", "isError", "structuredContent"}) for variant in _variants(key)]
)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects in a value, each before those inside it."""
    if type(value) is dict:
        node = cast("dict[str, Any]", value)
        yield node
        yield from chain.from_iterable(map(_objects, node.values()))
    elif type(value) is list:
        yield from chain.from_iterable(map(_objects, cast("list[Any]", value)))


def _clashing(value: Any) -> str | None:
    """Return what `clashing` returns, by folding every key."""
    for node in _objects(value):
        seen = set[str]()
        for key in node:
            if fold(key) in seen:
                return key
            seen.add(fold(key))
    return None


def _misspelt_task_key(holder: dict[str, Any]) -> str | None:
    """Return what `misspelt_task_key` returns, by folding every key."""
    meta = as_object(holder.get("_meta")) or {}
    nodes = [holder, meta, meta.get(RELATED), holder.get("task"), holder.get("notifications")]
    keys = [key for node in nodes for key in as_object(node) or ()]
    return next((key for key in keys if _TASK_KEYS.get(fold(key), key) != key), None)


def test_no_two_reserved_keys_fold_onto_each_other() -> None:
    assert len(set(map(fold, RESERVED))) == len(RESERVED)


def test_no_reserved_key_is_a_misspelt_task_key() -> None:
    assert all(_TASK_KEYS.get(fold(key), key) == key for key in RESERVED)


@given(VALUES)
@example({"name": 1, "Name": 2})
@example([{"name": [{"ref": 1, "uri": 2, "URI": 3}]}])
def test_a_clash_is_found_as_by_folding_every_key(value: Any) -> None:
    assert clashing(value) == _clashing(value)


@given(st.dictionaries(RESULT_KEYS, st.none(), max_size=5))
@example({"ResultType": None, "content": None})
def test_a_misleading_result_is_found_as_by_folding_every_key(result: dict[str, None]) -> None:
    assert misleading(result) == any(fold(key) in map(fold, JUDGED) for key in result if key not in JUDGED)


@given(st.text(max_size=12) | st.builds("\ud800".join, st.lists(st.text(max_size=2), min_size=1, max_size=2)))
@example("\udfff")
def test_an_id_is_text_without_lone_surrogates(text: str) -> None:
    assert is_id(text, 12) == (len(text) <= 12 and _encodes(text))


@given(HOLDERS | OBJECTS)
@example({"name": 1, "TaskIds": 1})
@example({"_meta": {RELATED: {"TASKID": 1}}})
@example({"notifications": {"taskids": []}})
def test_a_misspelt_task_key_is_found_as_by_folding_every_key(holder: dict[str, Any]) -> None:
    assert misspelt_task_key(holder) == _misspelt_task_key(holder)
