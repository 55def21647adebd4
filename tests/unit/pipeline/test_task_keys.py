"""Quick checks for task ids: a full search of params and results that pass them finds no task."""

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Final

import pytest

from gateway.pipeline.task_ids import names_no_task
from gateway.pipeline.task_ids_in_results import holds_no_task
from gateway.protocol.key_folding import META, PARAMS
from gateway.protocol.task_places import RELATED, creates, misspelt_task_key, of_params, of_result

_TASK: Final = {"taskId": "t"}
_META: Final = {"_meta": {RELATED: _TASK}}
_MEMBERS: Final[tuple[dict[str, Any], ...]] = (
    {},
    _TASK,
    _META,
    {"task": _TASK},
    {"task": {"TaskId": "t"}},
    {"task": {"ttl": 1}},
    {"tasks": [_TASK]},
    {"resultType": "task"},
    {"resultType": "complete"},
    {"result": _META},
    {"inputRequests": {"a": {"params": _META}}},
    {"inputResponses": {"a": _META}},
    {"notifications": {"taskIds": ["t"]}},
    {"notifications": {"TaskIds": ["t"]}},
    {"notifications": {"toolsListChanged": True}},
    *({"_meta": {key: _TASK}} for key in (*sorted(META), RELATED.upper(), "taskId", "TASKID", "other")),
    *({key: _TASK} for key in ("TaskId", "ta\x7fskId", "task\u0131d", "TASKIDS", RELATED, RELATED.upper())),
    *({key: _TASK} for key in (*sorted(PARAMS - {"_meta"}), "content", "structuredContent", "isError", "other")),
)


def objects() -> Iterator[dict[str, Any]]:
    """Yield objects of every two parts."""
    for one, other in combinations(_MEMBERS, 2):
        yield one | other
        yield other | one


@pytest.mark.parametrize("named", [False, True])
def test_params_that_name_no_task_at_a_glance_have_no_place_for_one(*, named: bool) -> None:
    plain = [params for params in objects() if names_no_task(params)]
    assert plain
    for params in plain:
        assert of_params(params, named=named) == [], params
        assert misspelt_task_key(params) is None, params


@pytest.mark.parametrize("named", [False, True])
def test_a_result_that_holds_no_task_at_a_glance_has_no_place_for_one(*, named: bool) -> None:
    plain = [result for result in objects() if holds_no_task(result)]
    assert plain
    for result in plain:
        assert of_result(result, named=named) == [], result
        assert not creates(result), result


def test_an_ordinary_call_and_its_result_are_known_at_a_glance() -> None:
    meta = {"progressToken": 1, "io.modelcontextprotocol/protocolVersion": "2026-07-28", "traceparent": "00-1-2-01"}
    assert names_no_task({"name": "read", "arguments": _TASK, "_meta": meta})
    assert holds_no_task({"content": [], "structuredContent": _TASK, "resultType": "complete"})
