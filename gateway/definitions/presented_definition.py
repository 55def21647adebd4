"""One definition as a server presents it: its digests, and the schema that checks arguments.

Rule 1: a schema is compiled when a call first needs it, because most definitions are only listed.
Rule 2: for a tool without a schema, the findings show that nothing can be checked. Other targets have no schema.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from gateway.admission.argument_schema_check import Checker, compiled, folded_key
from gateway.admission.digests import defined, grouped
from gateway.admission.policy_input import Definition
from gateway.admission.schema_check_findings import Findings, findings
from gateway.admission.structured_content import content_fault
from gateway.protocol.headers import Parameter, parameters_of
from gateway.protocol.json_values import as_text


class PresentedDefinition:
    """The definition in one entry of a server's list. It implements the pipeline's `Presented`."""

    def __init__(self, method: str, item: Mapping[str, Any]) -> None:
        """Take the list method, and the entry as the server sent it."""
        self.words: Final[Mapping[str, Any]] = grouped(item)
        """The parts of the definition, as the server sent them."""
        self.definition: Final[Definition] = defined(self.words)
        self.uri: Final = as_text(item.get("uri")) or as_text(item.get("uriTemplate")) or ""
        """The URI or the URI template, as the server wrote it. It is empty for a definition without one."""
        self._is_tool: Final = method == "tools/list"
        self._schema: Final[Any] = item.get("inputSchema") if self._is_tool else None
        self._output: Final[Any] = item.get("outputSchema") if self._is_tool else None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Return the arguments that headers mirror. Clients mirror none if an annotation is invalid."""
        return self._mirrored

    def findings(self, arguments: Mapping[str, Any], size: int) -> Findings:
        """Return the findings of the schema for arguments with `size` bytes of JSON. Other targets have none."""
        return findings(self._checker, arguments, size) if self._is_tool else Findings()

    def output_fault(self, result: Mapping[str, Any], size: int) -> str:
        """Return why a result of `size` bytes does not fit the output schema, or the empty text if it does."""
        return content_fault(self._output_checker, result, size)

    def folded_key(self, arguments: Mapping[str, Any]) -> str | None:
        """Return a key that some servers may read as another one, or null if there is none."""
        return folded_key(self._checker, arguments)

    @cached_property
    def _mirrored(self) -> tuple[Parameter, ...]:
        return parameters_of(self._schema) or () if self._is_tool else ()

    @cached_property
    def _output_checker(self) -> Checker | None:
        return compiled(self._output) if self._output is not None else None

    @cached_property
    def _checker(self) -> Checker:
        return compiled(self._schema) if self._is_tool else Checker()
