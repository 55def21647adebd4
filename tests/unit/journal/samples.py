"""Decisions and completions of usual size, like those of the demo and of an organization with JWTs."""

from typing import Any, Final

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from gateway.admission.correlation import Correlation
from gateway.admission.decision import (
    Credential,
    Decision,
    Ground,
    Reason,
    Resolved,
    ResolvedAgent,
    ResolvedServer,
    Route,
    Verdict,
)
from gateway.admission.enforce import ruling
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
)
from gateway.admission.principal import Principal
from gateway.admission.question import moment
from gateway.admission.record import Completed, Decided, Occasion, Result
from gateway.admission.record_masking import Level, Masking
from gateway.admission.recording import decided

NOW_NS: Final = 1_796_051_940_690_614_044
CALL_ID: Final = "9d23a67284b3e3475164f5f0e6cb043f"
IDS: Final = Correlation(request_id="5941725c6a-1234")
SERVICE: Final = Principal(kind="service", method="token", credential_sha256="a" * 64)
USER: Final = Principal(
    kind="user",
    method="jwt",
    issuer="https://login.example.com/realms/staff",
    subject="8c1d6f0e-3b9a-4c55-9a55-0f3f1f6d2c11",
    client_id="claude-code",
    groups=["engineering", "support"],
    scopes=["mcp", "profile"],
    claims={"email": "ann@example.com", "department": "support", "preferred_username": "ann"},
)
OWNER: Final = "carol@example.com"
ALLOW: Final = Decision(
    schema="mcp.decision/v1",
    outcome="allow",
    reasons=[],
    grounds=[Ground(rule="support-posts", effect="allow", owner=OWNER, because="Support answers customers there.")],
    resolved=Resolved(
        agent=ResolvedAgent(id="support-bot", owner="alice@example.com", purpose="Answers tickets", kind="claude-code"),
        server=ResolvedServer(id="slack", trust="low", owner="it@example.com"),
        action="send",
        action_source="catalog",
        pin="match",
    ),
    reads=["/arguments/channel"],
    route=Route(url="https://slack.example/mcp", credential=Credential(name="slack-bot", per="shared")),
)
DENY: Final = replace(
    ALLOW,
    outcome="deny",
    grounds=[Ground(rule="posts-stay-inside", effect="deny", owner=OWNER, because="Customers are answered by people.")],
    reasons=[
        Reason(
            requirement="rules_permit",
            message="rule posts-stay-inside refuses it: Customers are answered by people.",
            severity="high",
            remedy="Ask for a rule that allows it.",
        )
    ],
    route=None,
)


class _Level(Struct):
    """Return a level as read from a settings file: a text that is not the same object as the constant in the code."""

    level: Level

    @property
    def masking(self) -> Masking:
        return Masking(level=self.level, key=b"k" * 32)


def asked(principal: Principal = SERVICE, **changes: Any) -> PolicyInput:
    """Return the question of a call."""
    whole = PolicyInput(
        phase="request",
        message=AskedMessage(method="tools/call", kind="request", revision="2025-06-18", era="legacy"),
        principal=principal,
        client=Client(name="claude-code", version="2.1.0"),
        server=Server(id="slack"),
        target=Target(type="tool", name="post_message"),
        arguments={"channel": "#general", "text": "The build of this morning is out. " * 4},
        arguments_meta=ArgumentsMeta(bytes=170, digest="b" * 64, depth=1, schema="match"),
        definition=Definition(
            sha256="c" * 64,
            parts=dict.fromkeys(("name", "title", "description", "inputSchema", "annotations"), "d" * 64),
            annotations={"readOnlyHint": False, "destructiveHint": False},
        ),
        definition_status="seen",
        context=Context(
            time=moment(NOW_NS),
            source_ip="192.0.2.117",
            gateway=Gateway(id="gateway-1.example.com", version="0.1.0"),
            session="e" * 32,
        ),
    )
    return replace(whole, **changes)


def listing(principal: Principal = SERVICE) -> PolicyInput:
    """Return the question of a list request."""
    message = AskedMessage(method="tools/list", kind="request", revision="2025-06-18", era="legacy")
    meta = ArgumentsMeta(bytes=2, depth=1)
    return asked(
        principal,
        message=message,
        target=Target(),
        arguments={},
        arguments_meta=meta,
        definition=None,
        definition_status=UNSET,
    )


def record(question: PolicyInput, decision: Decision = ALLOW) -> Decided:
    """Return the record of a question with default masking."""
    answer = Verdict(
        decision=msgspec.json.decode(msgspec.json.encode(decision), type=Decision),
        revision="production@b935775ebe05.214",
        decision_id=CALL_ID,
        micros=3732,
        emergency="emergency@149bc2cac1aa.0",
    )
    return decided(
        question,
        answer,
        enforced=ruling(answer, question.target),
        occasion=Occasion(call_id=CALL_ID, unix_ns=NOW_NS + 4_108_000, monotonic_ns=42, micros=4108, correlation=IDS),
        masking=msgspec.json.decode(b'{"level":"masked"}', type=_Level).masking,
    )


def completion(result: Result, **changes: Any) -> Completed:
    """Return the record of its completion."""
    done = Completed(
        call_id=CALL_ID,
        unix_ns=NOW_NS + 21_632_000,
        monotonic_ns=42,
        outcome="answered",
        status=200,
        bytes=2980,
        events=1,
        micros=21_632,
        upstream_micros=14_308,
        request_id=IDS.request_id,
        result=result,
    )
    return replace(done, **changes)


CALL: Final = record(asked())
TEXT: Final = Result(digest="hmac-sha256:" + "f" * 64, type="text", items=1)
TOOLS: Final = Result(digest="hmac-sha256:" + "f" * 64, type="list", items=90)
