"""A question and its verdict of usual size."""

from typing import Final

from gateway.admission.decision import Decision, Ground, Resolved, ResolvedAgent, ResolvedServer, Route, Verdict
from gateway.admission.policy_input import (
    ArgumentsMeta,
    AskedMessage,
    Client,
    Context,
    Definition,
    Gateway,
    PolicyInput,
    Server,
    Target,
    Time,
)
from gateway.admission.principal import Principal

QUESTION: Final = PolicyInput(
    phase="request",
    message=AskedMessage(method="tools/call", kind="request", revision="2025-06-18", era="legacy"),
    principal=Principal(kind="service", method="token", credential_sha256="a" * 64),
    client=Client(name="claude-code", version="2.1.0"),
    server=Server(id="slack"),
    target=Target(type="tool", name="post_message"),
    arguments={"channel": "general", "text": "The build of this morning is out; see the notes for what changed. " * 2},
    arguments_meta=ArgumentsMeta(bytes=170, digest="b" * 64, depth=1, schema="match"),
    definition=Definition(
        sha256="c" * 64, parts={"name": "d" * 64, "description": "d" * 64, "inputSchema": "e" * 64}, annotations={}
    ),
    context=Context(
        time=Time(
            unix_ns=1_795_183_200_000_000_000,
            rfc3339="2026-11-20T14:00:00Z",
            weekday="friday",
            hour=14,
            minute=0,
            timezone="UTC",
        ),
        source_ip="192.0.2.7",
        gateway=Gateway(id="gateway-1", version="0.1.0"),
    ),
)
VERDICT: Final = Verdict(
    decision=Decision(
        schema="mcp.decision/v1",
        outcome="allow",
        reasons=[],
        grounds=[
            Ground(rule="support-posts", effect="allow", owner="alice@example.com", because="Support answers there.")
        ],
        resolved=Resolved(
            agent=ResolvedAgent(id="support-bot", owner="alice@example.com", purpose="Tickets", kind="claude-code"),
            server=ResolvedServer(id="slack", trust="low"),
            action="send",
            action_source="catalog",
            pin="match",
        ),
        route=Route(url="https://slack.example/mcp"),
    ),
    revision="dev@0123456789ab.7",
    decision_id="3f0b6a9e-58f1-4c3e-9f5e-0a7f6f1f1c11",
    micros=310,
)
