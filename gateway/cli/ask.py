"""`mcp-admission ask`: one call, decided by the real OPA with the policy as saved.

Rule 1: the question has the form in which the gateway asks it. The output names the credential that was assumed.
Rule 2: the output shows the whole decision: outcome, reasons with remedies, and rules with owners.
Rule 3: outcome and reasons are the ones that the gateway's enforcement derives from OPA's decision.
"""

import ipaddress
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from msgspec.structs import replace

from gateway.admission.principal import CLAIM_FIELDS
from gateway.artifact.json_narrowing import is_object
from gateway.cli.ask_view import shown
from gateway.cli.journal_options import journal_directory, place_as
from gateway.cli.journal_record import decided_record
from gateway.cli.locate_opa import opa_found, remembered
from gateway.cli.policy_option import policy_place
from gateway.journal.query import agent_of, target_of
from gateway.policy.build import Builder, Content, PolicySource
from gateway.policy.packed_bundle_answers import NoDecision
from gateway.policy.rego.opa_cli import OpaCommand
from gateway.policy.scenario_checks import asking
from gateway.policy.scenario_question import ActingCaller, StatedQuestion, acting, asked, contradiction, question
from gateway.policy.sources.problem import Problems
from gateway.protocol.malformed import Malformed
from gateway.protocol.strict_json import parse
from gateway.review.hub_revisions import environment_of
from gateway.review.masked_fields import is_withheld

KINDS: Final = ("tool", "resource", "prompt", "method")
_WORDS: Final = {"groups": "group"}
"""Field of the caller -> its name on the command line, if that differs."""


def _arguments(ctx: click.Context, param: click.Parameter, value: str | None) -> dict[str, Any] | None:
    if value is None:
        return None
    read: Any = parse(value.encode("utf-8", "surrogateescape"))
    if isinstance(read, Malformed):
        raise click.BadParameter(f"a gateway rejects the arguments `{value}`: {read.reason}.", ctx, param)
    if not is_object(read):
        raise click.BadParameter(f"`{value}` is not a JSON object.", ctx, param)
    return read


def _claims(ctx: click.Context, param: click.Parameter, stated: tuple[str, ...]) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    for each in stated:
        name, mark, text = each.partition("=")
        if not (name and mark):
            raise click.BadParameter(f"`{each}` is not a valid claim: write it as department=sales.", ctx, param)
        try:
            claims[name] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            claims[name] = text
    return claims


def _address(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
    try:
        return None if text is None else str(ipaddress.ip_address(text))
    except ValueError as error:
        raise click.BadParameter(
            f"`{text}` is not a valid IP address: write one such as 10.1.2.3.", ctx, param
        ) from error


@click.command(
    "ask",
    short_help="Decide one call with the real OPA, and show the reasons and rules.",
    epilog="""\b
Examples:
  mcp-admission ask --agent dev --server demo --tool read_file --args '{"path": "welcome.md"}'
  mcp-admission ask --agent support-bot --server slack --tool post_message --at 2026-11-20T23:00:00Z
  mcp-admission ask --agent dev --server demo --method tools/list --json
  mcp-admission ask --call 3f0b6a9e --journal .state/journal --exit-code
""",
)
@click.option("--agent", help="Id of the calling agent.")
@click.option("--server", help="Id of the server in the catalog.")
@click.option("--tool", help="Name of the tool to call.")
@click.option("--resource", help="URI of the resource to read.")
@click.option("--prompt", help="Name of the prompt to get.")
@click.option("--method", help="A method without a target, such as tools/list.")
@click.option("--args", "arguments", callback=_arguments, help="Arguments of the call, a JSON object (default: {}).")
@click.option("--at", help="Time of the call, such as 2026-11-20T23:00:00Z (default: now).")
@click.option("--group", multiple=True, help="A group of the principal; repeatable.")
@click.option(
    "--unknown", multiple=True, type=click.Choice(CLAIM_FIELDS), help="A claim to treat as unreadable; repeatable."
)
@click.option("--issuer", help="Issuer of the caller's JWT (default: one of the agent's identities).")
@click.option("--subject", help="Subject of the caller's JWT.")
@click.option("--client-id", help="Client id of the caller's JWT.")
@click.option(
    "--claim",
    "claims",
    multiple=True,
    callback=_claims,
    help="A claim of the JWT, such as department=sales or 'level=3'; the value is JSON if possible. Repeatable.",
)
@click.option("--from", "source", callback=_address, help="Source address of the caller.")
@click.option("--unseen", is_flag=True, help="Ask as if the server had not listed the target.")
@click.option("--call", "identifier", metavar="ID", help="Ask the question of this recorded call or decision instead.")
@place_as("journal")
@click.option("-e", "--environment", help="A directory below bundles/ (default: that of the recorded call, else dev).")
@policy_place
@click.option("--json", "as_json", is_flag=True, help="Print the decision as JSON.")
@click.option("--exit-code", is_flag=True, help="Exit with 1 unless the answer is allow.")
def command(directory: Path, *, as_json: bool, exit_code: bool, **words: Any) -> None:
    """Evaluate one call: whether this agent may make it, and why.

    The policy is built as saved, and a real OPA decides. The question presents the pinned definition of the target. The
    agent acts with one of its own credentials; the output names which one. If it has none, a credential is invented for
    this question. With --call, the caller, target, arguments and environment come from a record in the journal; a claim
    that is masked in the record is unknown.
    """
    words = _recorded(words) if words["identifier"] else words
    stated, environment = _stated(words), words["environment"] or "dev"
    opa = opa_found()
    content = Builder(remembered(), opa).content(PolicySource(directory, environment), time.time())
    if isinstance(content, Problems):
        raise click.ClickException("\n".join(["The policy does not build:", *map(str, content.problems)]))
    chosen = _acting(stated, content)
    (ruled,) = asking(content, OpaCommand(opa), [chosen]).rulings([question(stated, chosen, content.data)])
    if isinstance(ruled.answer, NoDecision):
        said = f"OPA returned no decision, so the gateway would refuse ({ruled.enforced.code}): {ruled.answer.why}"
        raise click.ClickException(said)
    enforced = ruled.enforced
    decision = replace(ruled.answer, outcome=enforced.outcome, reasons=list(enforced.reasons))
    if as_json:
        answer = {"asked_as": chosen.how, "code": enforced.code, "decision": msgspec.to_builtins(decision)}
        click.echo(msgspec.json.format(msgspec.json.encode(answer), indent=2))
    else:
        click.echo(shown(decision, stated, chosen, content.data["rules"]))
    if exit_code and decision.outcome != "allow":
        raise SystemExit(1)


def _recorded(words: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that a recorded call stands for; arguments that the journal masked must be given."""
    if given := [f"--{name}" for name in ("agent", "server", *KINDS) if words[name]]:
        raise click.UsageError(f"--call already defines the question: remove {', '.join(given)}.")
    record = decided_record(journal_directory(words["journal"], words["config"]), words["identifier"])
    question: Mapping[str, Any] = record.get("input") or {}
    target: Mapping[str, Any] = record.get("target") or {}
    arguments = words["arguments"]
    if arguments is None:
        arguments = dict[str, Any](question.get("arguments") or {})
        if record.get("replayable") is not True and record.get("arguments", {}).get("bytes", 0) > len("{}"):
            masked = f"masked in the journal (`journal.masking: {record.get('masking')}`)"
            raise click.ClickException(f"The arguments of this call are {masked}: give them with --args.")
    principal: Mapping[str, Any] = question.get("principal") or record.get("principal") or {}
    context: Mapping[str, Any] = question.get("context") or record
    kind = str(target.get("type")) if target.get("type") in KINDS else "method"
    return dict(words) | {
        **(_recorded_token(words, principal) if principal.get("method") == "jwt" else {}),
        "source": words["source"] or context.get("source_ip"),
        "agent": agent_of(record),
        "server": record.get("server", ""),
        "arguments": arguments,
        "group": [*words["group"], *principal.get("groups", ())],
        "environment": words["environment"] or environment_of(str(record.get("revision", ""))),
        kind: record.get("method", "") if kind == "method" else target_of(record),
    }


def _recorded_token(words: Mapping[str, Any], principal: Mapping[str, Any]) -> dict[str, Any]:
    """Return the claims of a recorded JWT and the unknown ones; options on the command line take precedence.

    If a record does not list unknown claims, empty ones count as unknown, as in the policy.
    """
    empty = [field for field in CLAIM_FIELDS if not principal.get(field)]
    given = {field for field in CLAIM_FIELDS if words.get(_WORDS.get(field, field))}
    recorded: Mapping[str, Any] = principal.get("claims") or {}
    claims = {name: value for name, value in recorded.items() if not is_withheld(value)}
    return {
        **{field: words[field] or principal.get(field) for field in ("issuer", "subject", "client_id")},
        "claims": claims | words["claims"],
        "unknown": sorted({*words["unknown"], *principal.get("unknown", empty)} - given),
    }


def _stated(words: dict[str, Any]) -> StatedQuestion:
    """Return the question in the form that scenarios use."""
    for name in ("agent", "server"):
        if not words[name]:
            raise click.UsageError(f"Missing option '--{name}': give it, or name a recorded call with --call.")
    named = [kind for kind in KINDS if words[kind]]
    if len(named) != 1:
        raise click.UsageError("Give exactly one of --tool, --resource, --prompt, --method.")
    entry: dict[str, Any] = {key: words[key] for key in ("agent", "server", *named)}
    entry["arguments"] = words["arguments"] or {}
    entry |= {"groups": words["group"], "unknown": words["unknown"]}
    entry |= {"definition": "unseen" if words["unseen"] else "pinned"}
    token = {key: words[key] for key in ("issuer", "subject", "client_id", "claims") if words[key]}
    entry |= ({"principal": token} if token else {}) | ({"from": words["source"]} if words["source"] else {})
    try:
        return asked(entry | ({"at": words["at"]} if words["at"] else {}), now=time.time())
    except ValueError as error:
        raise click.UsageError(f"`{words['at']}` is not a valid time: write it as 2026-11-20T23:00:00Z.") from error


def _acting(stated: StatedQuestion, content: Content) -> ActingCaller:
    agents = content.environment.agents_by_id()
    if stated.agent not in agents:
        known = ", ".join(sorted(agents)) or "none"
        raise click.ClickException(f"Agent `{stated.agent}` is not registered. Registered agents: {known}.")
    contradictory = contradiction(stated, agents)
    if contradictory:
        raise click.UsageError(f"The question {contradictory}.")
    return acting(stated, agents)
