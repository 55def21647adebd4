"""Strategies for random questions and answers, and records of them."""

from typing import Any, Final

from hypothesis import strategies as st

from gateway.admission.correlation import Correlation
from gateway.admission.decision import (
    Credential,
    Decision,
    Ground,
    Obligation,
    PolicyFailure,
    Reason,
    Resolved,
    ResolvedAgent,
    ResolvedServer,
    Route,
    Verdict,
)
from gateway.admission.enforce import ruling
from gateway.admission.policy_input import (
    ArgumentError,
    ArgumentsMeta,
    AskedMessage,
    Client,
    Context,
    Definition,
    Gateway,
    Item,
    PolicyInput,
    Retry,
    Server,
    Target,
)
from gateway.admission.principal import CLAIM_FIELDS, Principal
from gateway.admission.question import moment
from gateway.admission.record import Completed, Decided, Occasion, Result
from gateway.admission.record_masking import Masking
from gateway.admission.recording import decided

NOW_NS: Final = 1_795_183_200_123_456_789
KEY: Final = b"k" * 32
WORDS: Final = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAMES: Final = st.text("abcdefgh-_", min_size=1, max_size=12)
LEAVES: Final = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, width=16) | WORDS
VALUES: Final = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
OBJECTS: Final = st.dictionaries(WORDS, VALUES, max_size=3)
CHECKS: Final = st.sampled_from(["match", "mismatch", "uncheckable", "none"])
DIGESTS: Final = st.text("0123456789abcdef", min_size=64, max_size=64)

PRINCIPALS: Final = st.builds(
    Principal,
    kind=st.sampled_from(["user", "service", "anonymous"]),
    method=st.sampled_from(["token", "jwt", "mtls", "none"]),
    issuer=st.none() | NAMES,
    subject=st.none() | NAMES,
    client_id=st.none() | NAMES,
    groups=st.lists(NAMES, max_size=2),
    scopes=st.lists(NAMES, max_size=2),
    unknown=st.lists(st.sampled_from(CLAIM_FIELDS), unique=True).map(sorted),
    claims=OBJECTS,
    delegation=st.lists(NAMES, max_size=2),
    credential_sha256=st.none() | DIGESTS,
)
DEFINITIONS: Final = st.builds(
    Definition,
    sha256=DIGESTS,
    parts=st.dictionaries(NAMES, DIGESTS, max_size=3),
    annotations=st.dictionaries(st.sampled_from(["readOnlyHint", "destructiveHint"]), st.booleans()),
)
TARGETS: Final = st.builds(
    Target,
    type=st.sampled_from(["tool", "resource", "prompt", "task", "none"]),
    name=st.none() | NAMES,
    uri=st.none() | NAMES,
    written=st.none() | NAMES,
)
MESSAGES: Final = st.builds(
    AskedMessage,
    method=st.sampled_from(["tools/call", "resources/read", "prompts/get", "tools/list", "initialize", "x/y"]),
    kind=st.sampled_from(["request", "notification", "response"]),
    revision=st.sampled_from(["2025-06-18", "2026-07-28", ""]),
    era=st.sampled_from(["modern", "legacy"]),
    retry=st.builds(Retry, has_state=st.booleans(), answers=st.lists(NAMES, max_size=2)),
)
STATUSES: Final = st.sampled_from(["seen", "not_listed", "listing_failed"])
QUESTIONS: Final = st.builds(
    PolicyInput,
    phase=st.sampled_from(["request", "list", "stream", "server_request"]),
    message=MESSAGES,
    principal=PRINCIPALS,
    client=st.builds(Client, name=WORDS, version=WORDS),
    server=st.builds(Server, id=NAMES),
    target=TARGETS,
    context=st.builds(
        Context,
        time=st.integers(0, 4 * NOW_NS).map(moment),
        source_ip=st.sampled_from(["192.0.2.7", "::1", ""]),
        gateway=st.builds(Gateway, id=NAMES, version=NAMES),
        headers=st.dictionaries(NAMES, WORDS, max_size=2),
        session=st.sampled_from(["", "e" * 32]),
    ),
    definition=st.none() | DEFINITIONS,
    definition_status=STATUSES,
    arguments=OBJECTS,
    arguments_meta=st.builds(
        ArgumentsMeta,
        bytes=st.sampled_from([0, 20, 70_000]),
        digest=st.sampled_from(["", "d" * 64]),
        depth=st.integers(0, 9),
        schema=CHECKS,
        formats=CHECKS,
        unchecked=st.lists(NAMES, max_size=2),
        errors=st.lists(st.builds(ArgumentError, path=NAMES, keyword=NAMES, message=WORDS), max_size=2),
    ),
    items=st.lists(st.builds(Item, message=MESSAGES, target=TARGETS, definition=st.none() | DEFINITIONS), max_size=1),
)
REASONS: Final = st.lists(st.builds(Reason, requirement=NAMES, message=WORDS, remedy=WORDS), max_size=2)
GROUNDS: Final = st.lists(
    st.builds(
        Ground,
        rule=NAMES,
        effect=st.sampled_from(["allow", "deny", "hold"]),
        owner=NAMES,
        because=WORDS,
        expires=st.none() | st.just("2027-01-01T00:00:00Z"),
    ),
    max_size=3,
    unique_by=lambda ground: ground.rule,
)
DECISIONS: Final = st.builds(
    Decision,
    schema=st.just("mcp.decision/v1"),
    outcome=st.sampled_from(["allow", "hold", "deny"]),
    reasons=REASONS,
    grounds=GROUNDS,
    resolved=st.builds(
        Resolved,
        agent=st.none() | st.builds(ResolvedAgent, id=NAMES, owner=NAMES, purpose=WORDS, kind=NAMES),
        server=st.none() | st.builds(ResolvedServer, id=NAMES, trust=st.sampled_from(["", "low"]), owner=NAMES),
        action=st.sampled_from(["read", "send", "unknown"]),
        action_source=st.sampled_from(["catalog", "default", "annotations"]),
        pin=st.sampled_from(["match", "unpinned", "unseen", "drift"]),
        data=st.lists(NAMES, max_size=2),
    ),
    warnings=REASONS,
    shadow=REASONS,
    obligations=st.lists(st.builds(Obligation, requirement=NAMES, type=NAMES, params=OBJECTS), max_size=1),
    observe=st.booleans(),
    reads=st.lists(st.sampled_from(["/arguments", "/principal/claims", "/context/headers"]), max_size=2),
    route=st.none() | st.just(Route(url="https://x", credential=Credential(name="c", per="shared"))),
)
ANSWERS: Final = st.builds(
    Verdict,
    decision=DECISIONS,
    revision=NAMES,
    decision_id=st.sampled_from(["call-1", "d-1"]),
    micros=st.integers(0, 999),
    emergency=st.sampled_from(["", "emergency@149bc2cac1aa.0"]),
) | st.builds(PolicyFailure, code=st.just("policy_unavailable"), detail=WORDS, revision=NAMES)
CORRELATIONS: Final = st.builds(
    Correlation,
    request_id=st.sampled_from(["", "abc-1"]),
    trace_id=st.sampled_from(["", "4" * 32]),
    conversation=st.sampled_from(["", "chat-7"]),
    unverified=st.sampled_from([(), ("trace_id",)]),
)


@st.composite
def decisions(draw: st.DrawFn) -> Decided:
    """Return a record as the pipeline would make it."""
    asked, answer = draw(QUESTIONS), draw(ANSWERS)
    occasion = Occasion(
        call_id="call-1",
        unix_ns=NOW_NS,
        monotonic_ns=42,
        micros=draw(st.integers(0, 99)),
        correlation=draw(CORRELATIONS),
    )
    level: Any = draw(st.sampled_from(["none", "masked", "full"]))
    return decided(
        asked,
        answer,
        enforced=ruling(answer, asked.target),
        occasion=occasion,
        masking=Masking(level=level, key=KEY),
    )


COMPLETIONS: Final = st.builds(
    Completed,
    call_id=NAMES,
    unix_ns=st.integers(0, 4 * NOW_NS),
    monotonic_ns=st.just(1),
    outcome=NAMES,
    status=st.sampled_from([0, 200, 502]),
    events=st.sampled_from([0, 1, 7]),
    hidden=st.integers(0, 3),
    unread=st.booleans(),
    detail=WORDS,
    request_id=st.sampled_from(["", "abc-1"]),
    result=st.none()
    | st.builds(Result, digest=DIGESTS.map(lambda text: f"hmac-sha256:{text}"), type=NAMES, items=st.integers(0, 9)),
)
