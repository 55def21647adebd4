"""Derive the facts that a bundle needs (`data.index.facts`) from a question: for replay, explain and mutation.

Rule 1: a record does not store facts. They are derived from its arguments; a masked argument is withheld.
Rule 2: the decisions of a bundle state the same needs as its index. The gateway, `ask` and scenarios use the decisions.
"""

from typing import Any

import msgspec

from gateway.admission.decision import NeededFacts
from gateway.admission.facts import facts
from gateway.artifact.json_narrowing import Json, is_object
from gateway.policy.rules.masked_reads import ANY_SERVER


def stated_facts(question: Json, data: Json) -> Json:
    """Return the question with the facts about its arguments that the bundle with this data needs."""
    server: Any = question.get("server")
    needed = _needed(data, str(server.get("id", "")) if is_object(server) else "")
    if not needed:
        return question
    arguments: Any = question.get("arguments")
    found = facts(arguments if is_object(arguments) else {}, needed)
    return {**question, "facts": msgspec.to_builtins(found)}


def _needed(data: Json, server: str) -> list[NeededFacts]:
    index: Any = data.get("index")
    by_server: Any = index.get("facts") if is_object(index) else None
    if not is_object(by_server):
        return []
    stated: Any = by_server.get(server, by_server.get(ANY_SERVER, []))
    try:
        return msgspec.convert(stated, list[NeededFacts])
    except msgspec.ValidationError:
        return []
