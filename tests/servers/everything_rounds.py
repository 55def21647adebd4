"""The tools of the everything server that answer with questions, and finish when the client calls again (2026-07-28).

Rule 1: an answer that is missing or of the wrong kind is asked for again.
Rule 2: state is what the SDK sealed for us; one that was tampered with never gets here.
"""

from typing import Any, Final

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CreateMessageRequest,
    CreateMessageRequestParams,
    CreateMessageResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    InputResponseRequestParams,
    ListRootsRequest,
    ListRootsResult,
    SamplingMessage,
    TextContent,
)

from tests.servers.everything_offer import Answer, Context, Offer, Says, text


def question(message: str, name: str, kind: str = "string") -> ElicitRequest:
    """Ask the user for one value."""
    schema: dict[str, Any] = {"type": "object", "properties": {name: {"type": kind}}, "required": [name]}
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


def elicited(params: InputResponseRequestParams, key: str, name: str) -> Any:
    """The value that the user gave under a key; null where there is none."""
    answer = (params.input_responses or {}).get(key)
    return (answer.content or {}).get(name) if isinstance(answer, ElicitResult) else None


def _sampling(prompt: str, tokens: int = 100) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    return CreateMessageRequest(params=CreateMessageRequestParams(messages=[message], max_tokens=tokens))


def _sampled(params: InputResponseRequestParams, key: str) -> str | None:
    answer = (params.input_responses or {}).get(key)
    said = answer.content if isinstance(answer, CreateMessageResult) else None
    return said.text if isinstance(said, TextContent) else None


def _roots(params: InputResponseRequestParams, key: str) -> str | None:
    answer = (params.input_responses or {}).get(key)
    return ", ".join(str(root.uri) for root in answer.roots) if isinstance(answer, ListRootsResult) else None


def _asking(state: str | None = None, /, **questions: InputRequest) -> InputRequiredResult:
    return InputRequiredResult(input_requests=questions, request_state=state)


async def _name(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx
    name = elicited(params, "user_name", "name")
    return text(f"Hello, {name}!") if name else _asking(user_name=question("What is your name?", "name"))


async def _capital(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx
    said = _sampled(params, "capital_question")
    return text(said) if said else _asking(capital_question=_sampling("What is the capital of France?"))


async def _list_roots(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx
    roots = _roots(params, "client_roots")
    return _asking(client_roots=ListRootsRequest()) if roots is None else text(f"Roots: {roots}")


async def _confirm(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx
    if elicited(params, "confirm", "ok") is None:
        return _asking("confirming", confirm=question("Please confirm", "ok", "boolean"))
    if params.request_state != "confirming":
        raise MCPError(INVALID_PARAMS, "The state is not the one that was given")
    return text("state-ok")


async def _three(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx
    name, greeting = elicited(params, "user_name", "name"), _sampled(params, "greeting")
    roots = _roots(params, "client_roots")
    if name and greeting and roots is not None and params.request_state == "three":
        return text(f"{greeting}, {name}! Roots: {roots}")
    return _asking(
        "three",
        user_name=question("What is your name?", "name"),
        greeting=_sampling("Generate a greeting", 50),
        client_roots=ListRootsRequest(),
    )


async def _rounds(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    del says, ctx
    state = params.request_state or ""
    name, color = elicited(params, "step1", "name"), elicited(params, "step2", "color")
    if state.startswith("second:") and color:
        return text(f"{state.removeprefix('second:')} likes {color}.")
    if state == "first" and name:
        return _asking(f"second:{name}", step2=question("Step 2: What is your favorite color?", "color"))
    return _asking("first", step1=question("Step 1: What is your name?", "name"))


async def _declared(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    """Ask only for what the client said that it can do."""
    del says, params
    can = ctx.session.client_capabilities
    questions: dict[str, InputRequest] = {}
    if can and can.sampling is not None:
        questions["word"] = _sampling("Say a word.")
    if can and can.elicitation is not None:
        questions["user_name"] = question("What is your name?", "name")
    if can and can.roots is not None:
        questions["client_roots"] = ListRootsRequest()
    return _asking(**questions) if questions else text("There is nothing that this client can be asked.")


async def _streaming(says: Says, ctx: Context, params: CallToolRequestParams) -> Answer:
    """Report progress, then ask inside of the result, never beside it."""
    await ctx.session.report_progress(1, 2)
    return await _name(says, ctx, params)


TOOLS: Final = (
    Offer("test_input_required_result_elicitation", "Asks for a name", _name),
    Offer("test_input_required_result_sampling", "Asks the client's model", _capital),
    Offer("test_input_required_result_list_roots", "Asks for the roots", _list_roots),
    Offer("test_input_required_result_request_state", "Gives state and wants it back", _confirm),
    Offer("test_input_required_result_tampered_state", "Gives state that must not be changed", _confirm),
    Offer("test_input_required_result_multiple_inputs", "Asks three things at once", _three),
    Offer("test_input_required_result_multi_round", "Asks twice", _rounds),
    Offer("test_input_required_result_capabilities", "Asks what the client can answer", _declared),
    Offer("test_streaming_elicitation", "Reports progress and asks", _streaming),
)
