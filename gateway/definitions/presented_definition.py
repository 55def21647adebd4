"""One thing as a server presents it: its digests, and the schema that arguments are checked against.

Rule 1: a schema is compiled when the first call asks for it; most definitions are only ever listed.
Rule 2: a tool without a schema has nothing that can be checked, and says so. Other targets have no schema.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

from gateway.admission.argument_findings import Findings, findings
from gateway.admission.arguments import Checker, compiled, folded_key
from gateway.admission.digests import defined, grouped
from gateway.admission.policy_input import Definition
from gateway.admission.structured_content import content_fault
from gateway.protocol.headers import Parameter, parameters_of
from gateway.protocol.json_values import as_text


class PresentedDefinition:
    """What one entry of a server's list says; the pipeline's `Presented`."""

    def __init__(self, method: str, item: Mapping[str, Any]) -> None:
        """Take the list method, and the entry as the server sent it."""
        self.words: Final[Mapping[str, Any]] = grouped(item)
        """The parts of the definition, as the server sent them."""
        self.definition: Final[Definition] = defined(self.words)
        self.uri: Final = as_text(item.get("uri")) or as_text(item.get("uriTemplate")) or ""
        """The URI, or the template of URIs, as the server wrote it; empty for what has none."""
        self._is_tool: Final = method == "tools/list"
        self._schema: Final[Any] = item.get("inputSchema") if self._is_tool else None
        self._output: Final[Any] = item.get("outputSchema") if self._is_tool else None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The arguments that are mirrored in headers; none where an annotation is invalid, and clients send none."""
        return self._mirrored

    def findings(self, arguments: Mapping[str, Any], size: int) -> Findings:
        """Return what the presented schema says of arguments whose JSON has `size` bytes; nothing for other targets."""
        return findings(self._checker, arguments, size) if self._is_tool else Findings()

    def output_fault(self, result: Mapping[str, Any], size: int) -> str:
        """Return why a result of `size` bytes does not fit the presented output schema; empty if it does."""
        return content_fault(self._output_checker, result, size)

    def folded_key(self, arguments: Mapping[str, Any]) -> str | None:
        """Return a key that some server may read as another one; null where there is none."""
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
