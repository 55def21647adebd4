"""One thing as a server presents it: its digests, and the schema that arguments are checked against.

Rule 1: a schema is compiled when the first call asks for it; most definitions are only ever listed.
Rule 2: a tool without a schema is `uncheckable`: the protocol wants one. Other targets have none.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from gateway.admission.arguments import Checker, check, compiled, folded_key
from gateway.admission.digests import define
from gateway.admission.policy_input import Definition, SchemaCheck
from gateway.protocol.headers import Parameter, parameters_of


class Presentation:
    """What one entry of a server's list says; the pipeline's `Presented`."""

    def __init__(self, method: str, item: Mapping[str, Any]) -> None:
        """Take the list method, and the entry as the server sent it."""
        self.definition: Final[Definition] = define(item)
        self._is_tool: Final = method == "tools/list"
        self._schema: Final[Any] = item.get("inputSchema") if self._is_tool else None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The arguments that are mirrored in headers; none where an annotation is invalid, and clients send none."""
        return self._mirrored

    def check_arguments(self, arguments: Mapping[str, Any]) -> SchemaCheck:
        """Return whether arguments match the presented schema; `none` for what has no schema."""
        return check(self._checker, arguments) if self._is_tool else "none"

    def folded_key(self, arguments: Mapping[str, Any]) -> str | None:
        """Return a key that some server may read as another one; null where there is none."""
        return folded_key(self._checker, arguments)

    @cached_property
    def _mirrored(self) -> tuple[Parameter, ...]:
        return parameters_of(self._schema) or () if self._is_tool else ()

    @cached_property
    def _checker(self) -> Checker:
        return compiled(self._schema) if self._is_tool else Checker()
