"""The tools that the suite's task scenarios call, served at once: the SDK has no tasks.

Rule 1: what a scenario wants of a task fails directly and through a gateway alike; what it wants of a tool works.
"""

from typing import Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import INTERNAL_ERROR, CallToolRequestParams

from tests.servers.everything_offer import Answer, Context, Offer, Says, offer, text

_ANYTHING: Final[dict[str, Any]] = {"type": "object"}


async def _greet(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx
    return text(f"Hello, {(params.arguments or {}).get('name', '')}!")


async def _broken(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx, params
    raise MCPError(INTERNAL_ERROR, "This tool intentionally breaks")


TOOLS: Final = (
    Offer("greet", "Greets somebody", _greet, _ANYTHING),
    Offer("protocol_error_job", "Always breaks", _broken, _ANYTHING),
    offer("failing_job", "Always fails", text("It failed.", is_error=True), _ANYTHING),
    offer("slow_compute", "Would take long where there are tasks", text("Computed."), _ANYTHING),
    offer("confirm_delete", "Would ask where there are tasks", text("Not deleted."), _ANYTHING),
    offer("multi_input", "Would ask twice where there are tasks", text("Not asked."), _ANYTHING),
    offer("test_tool_with_task", "Would become a task where there are tasks", text("No task."), _ANYTHING),
)
