"""A call and the statistics of calls as text for people.

Rule 1: `call_text` shows who allowed a call: agent, owner, purpose, rule, the rule's owner and reason, revision.
Rule 2: as in the live view, text chosen by a client or server is escaped before it reaches the terminal.
Rule 3: a text is never cut. On a terminal it is wrapped into several lines.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import click

from gateway.cli.live_decisions import escaped
from gateway.cli.text_width import columns, cut
from gateway.journal.query import FoundCall, outcome_of, target_of
from gateway.journal.segment_lines import Read
from gateway.journal.statistics import LatencySummary, Statistics

_WORDS: Final = {"allow": "ALLOWED", "deny": "DENIED", "hold": "HELD", "refused": "REFUSED"}
_COLORS: Final = {"allow": "green", "deny": "red", "hold": "yellow", "refused": "magenta"}
_LABEL: Final = 14
_MOST: Final = 15
_COUNTS: Final = 21
"""Columns before the name that is counted."""


def call_text(call: FoundCall, *, color: bool, width: int = 0) -> str:
    """Return everything that the journal has about one call; with a `width`, lines are at most that long."""
    record = call.decided
    outcome = outcome_of(record)
    word = _WORDS.get(outcome, outcome.upper())
    title = click.style(escaped(word), fg=_COLORS.get(outcome), bold=True) if color else escaped(word)
    lines = [f"{title}  call {escaped(str(record.get('call_id', '')))}"]
    for label, text in (*_facts(record), *_ending(call)):
        if text:
            first, *rest = _broken(escaped(text), width - _LABEL - 2)
            lines += [f"  {label:{_LABEL}}{first}", *(f"  {'':{_LABEL}}{more}" for more in rest)]
    return "\n".join(lines)


def statistics_text(figures: Statistics, *, width: int = 0) -> str:
    """Return counts and latencies as tables, the largest first; names are cut to the `width` if given."""
    parts = [_counts(name, counts, width) for name, counts in figures.counts.items() if counts]
    if figures.latencies:
        head = f"  {'MICROSECONDS':14}{'COUNT':>10}{'P50':>10}{'P90':>10}{'P99':>10}{'MOST':>10}"
        parts.append("\n".join(["latencies", head, *(_latency(*pair) for pair in figures.latencies.items())]))
    return "\n\n".join(parts) if parts else "No records found."


def _counts(name: str, counts: Mapping[str, int], width: int) -> str:
    total, most = sum(counts.values()), list(counts.items())[:_MOST]
    rows = [
        f"  {count:>9,}  {count / total:>6.1%}  {_fitting(escaped(value or '-'), width - _COUNTS)}"
        for value, count in most
    ]
    more = [f"  {'':>9}  {'':>6}  and {len(counts) - _MOST} more"] if len(counts) > _MOST else []
    return "\n".join([f"by {name}", f"  {'COUNT':>9}  {'SHARE':>6}  {name.upper()}", *rows, *more])


def _fitting(text: str, width: int) -> str:
    return cut(text, width) if width > 0 else text


def _broken(text: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` columns, broken at spaces if possible; one line without a width."""
    if width <= 0 or columns(text) <= width:
        return [text]
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        rest = word
        if line and columns(line) + 1 + columns(rest) > width:
            lines.append(line)
            line = ""
        else:
            rest = f"{line} {rest}" if line else rest
        while columns(rest) > width:
            head = cut(rest, width + 1)[:-1]
            lines.append(head)
            rest = rest[len(head) :]
        line = rest
    return [*lines, line] if line else lines


def _latency(name: str, value: LatencySummary) -> str:
    return f"  {name:14}{value.count:>10,}{value.p50:>10,}{value.p90:>10,}{value.p99:>10,}{value.most:>10,}"


def _facts(record: Read) -> Iterator[tuple[str, str]]:
    """Return label and text of each known fact about a decision, in the order in which people ask."""
    yield "when", f"{record.get('time', '')}  (writer {record['writer']}, record {record['sequence']})"
    agent: Mapping[str, Any] = record.get("agent") or {}
    if agent:
        yield (
            "agent",
            f"{agent.get('id')} ({agent.get('kind') or 'no kind'}), owned by {agent.get('owner') or 'nobody'}",
        )
        yield "purpose", str(agent.get("purpose", ""))
    yield "principal", _principal(record)
    yield "message", _message(record)
    for ground in record.get("grounds", ()):
        yield "rule", _ground(ground)
    for name in ("reasons", "warnings", "shadow"):
        for reason in record.get(name, ()):
            yield {"reasons": "because", "warnings": "warning", "shadow": "shadow"}[name], _reason(reason)
    yield "code", str(record.get("code", ""))
    yield "detail", str(record.get("detail", ""))
    yield "revision", str(record.get("revision", "")) + (" (observing only)" if record.get("observe") else "")
    yield "decision", str(record.get("decision_id", ""))
    yield "session", str(record.get("session", ""))
    yield "conversation", str(record.get("conversation", "")) and f"{record['conversation']} (not verified)"
    yield "trace", str(record.get("trace_id", "")) and f"{record['trace_id']} (not verified)"
    yield "credential", str(record.get("credential", ""))
    yield "took", f"{record.get('micros', 0):,} µs, of which the policy {record.get('policy_micros', 0):,} µs"
    yield "input", _input(record)


def _principal(record: Read) -> str:
    principal: Mapping[str, Any] = record.get("principal") or {}
    names = [str(principal[name]) for name in ("issuer", "subject", "client_id") if principal.get(name)]
    digest = str(principal.get("credential_sha256") or "")
    names += [f"token sha256 {digest[:12]}…"] if digest else []
    client: Mapping[str, Any] = record.get("client") or {}
    who = f"{principal.get('kind', 'unknown')} ({', '.join(names) or principal.get('method', 'not verified')})"
    said = (
        f", client calls itself {client.get('name')} {client.get('version', '')}".rstrip() if client.get("name") else ""
    )
    return f"{who} from {record.get('source_ip', '?')}{said}"


def _message(record: Read) -> str:
    target = target_of(record)
    trust = f" (trust {record['trust']})" if record.get("trust") else ""
    text = f"{record.get('method') or 'unread'}{' ' + target if target else ''} on {record.get('server') or '-'}{trust}"
    if record["kind"] != "decided":
        return text
    action = f"action {record.get('action', 'unknown')} by {record.get('action_source', 'default')}"
    return f"{text}, {action}, definition {record.get('pin', 'unseen')}"


def _ground(ground: Mapping[str, Any]) -> str:
    owner, because, expires = ground.get("owner"), ground.get("because"), ground.get("expires")
    text = f"{ground.get('rule')} ({ground.get('effect')}), owned by {owner or 'nobody'}"
    return text + (f": {because}" if because else "") + (f" (until {expires})" if expires else "")


def _reason(reason: Mapping[str, Any]) -> str:
    remedy = reason.get("remedy")
    text = f"{reason.get('requirement')}: {reason.get('message')} [{reason.get('severity', 'medium')}]"
    return f"{text} {remedy}" if remedy else text


def _input(record: Read) -> str:
    if record["kind"] != "decided":
        return f"{record.get('bytes', 0)} bytes, {record.get('digest', '')}" if record.get("digest") else ""
    arguments: Mapping[str, Any] = record.get("arguments") or {}
    replay = "can be replayed" if record.get("replayable") else "cannot be replayed"
    digest = f", {arguments['digest']}" if arguments.get("digest") else ""
    return f"masking {record.get('masking')}, {replay}; arguments of {arguments.get('bytes', 0)} bytes{digest}"


def _ending(call: FoundCall) -> list[tuple[str, str]]:
    done = call.completed
    if done is None:
        return (
            [("completed", "not recorded: still running, or its gateway was killed")]
            if _forwarded(call.decided)
            else []
        )
    parts = [str(done.get("outcome", ""))]
    parts += [f"HTTP {done['status']}"] if done.get("status") else []
    parts += [f"{done['bytes']:,} bytes"] if done.get("bytes") else []
    parts += [f"{done['hidden']} of {done.get('listed', 0) + done['hidden']} hidden"] if done.get("hidden") else []
    parts += [f"after {done['micros']:,} µs"] if done.get("micros") else []
    parts += [str(done["detail"])] if done.get("detail") else []
    return [("completed", ", ".join(parts))]


def _forwarded(record: Read) -> bool:
    return record["kind"] == "decided" and record.get("outcome") == "allow"
