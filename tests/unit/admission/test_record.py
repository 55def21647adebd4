"""The journal's records contain the decision, and never secrets."""

import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

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
from gateway.admission.policy_input import (
    ArgumentError,
    ArgumentsMeta,
    AskedMessage,
    Client,
    Context,
    Gateway,
    Item,
    PolicyInput,
    Server,
    Target,
)
from gateway.admission.principal import Principal
from gateway.admission.question import listing, moment
from gateway.admission.record import Completed, Counted, Decided, Enforced, Occasion
from gateway.admission.record_masking import Level, Masking, digest, in_arguments
from gateway.admission.recording import PartialMessage, decided, refused
from gateway.admission.secret_texts import MASKED
from gateway.admission.session_digest import session_digest
from tests.recorded_lines import AnyRecord, lines_of

KEY: Final = b"k" * 32
LEVELS: Final[tuple[Level, ...]] = ("none", "masked", "full")
OCCASION: Final = Occasion(call_id="call-1", unix_ns=1_795_183_200_123_456_789, monotonic_ns=42, micros=812)
ALLOWED: Final = Enforced(outcome="allow")
GROUND: Final = Ground(rule="support-reads", effect="allow", owner="alice@example.com", because="tickets are theirs")


def question(arguments: Mapping[str, Any] | None = None, **changes: Any) -> PolicyInput:
    stated = PolicyInput(
        phase="request",
        message=AskedMessage(method="tools/call", kind="request", revision="2025-06-18", era="legacy"),
        principal=Principal(kind="service", method="token", credential_sha256="a" * 64),
        client=Client(name="claude-code", version="2.1"),
        server=Server(id="slack"),
        target=Target(type="tool", name="post_message"),
        arguments=dict(arguments or {}),
        arguments_meta=ArgumentsMeta(bytes=20, digest="plain-digest", depth=1, schema="match"),
        context=Context(
            time=moment(1_795_183_200_000_000_001),
            source_ip="192.0.2.7",
            gateway=Gateway(id="gw", version="1"),
        ),
    )
    return replace(stated, **changes)


def verdict(**changes: Any) -> Verdict:
    decision = Decision(
        schema="mcp.decision/v1",
        outcome="allow",
        reasons=[],
        grounds=[GROUND],
        resolved=Resolved(
            agent=ResolvedAgent(id="support-bot", owner="alice@example.com", purpose="tickets", kind="claude-code"),
            server=ResolvedServer(id="slack", trust="low"),
            action="send",
            action_source="catalog",
            pin="match",
        ),
        route=Route(url="https://slack.example/mcp", credential=Credential(name="slack-bot", per="shared")),
    )
    return Verdict(decision=replace(decision, **changes), revision="dev@abc.7", decision_id="d-1", micros=310)


def record(asked: PolicyInput, level: Level = "full", answer: Verdict | PolicyFailure | None = None) -> Decided:
    masking = Masking(level=level, key=KEY)
    return decided(asked, answer or verdict(), enforced=ALLOWED, occasion=OCCASION, masking=masking)


def line(made: AnyRecord, *, at: int, writer: str, sequence: int) -> bytes:
    return lines_of(made, at=at, writer=writer, sequence=sequence)


def written(made: Decided) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the description and the decision that are written."""
    described, decided = map(orjson.loads, line(made, at=5, writer="w1", sequence=9).splitlines())
    return described, decided


def test_a_decided_record_says_who_what_why_and_by_which_revision() -> None:
    described, said = written(record(question({"channel": "general"})))
    assert (said["schema"], said["at"], said["writer"], said["sequence"]) == ("mcp.record/v2", 5, "w1", 10)
    assert (said["kind"], said["call_id"], said["outcome"]) == ("decided", "call-1", "allow")
    assert (said["principal"], said["agent"]) == ({"kind": "service"}, {"id": "support-bot"})
    assert described["agent"] == {
        "id": "support-bot",
        "owner": "alice@example.com",
        "purpose": "tickets",
        "kind": "claude-code",
    }
    assert (said["server"], said["action"]) == ("slack", "send")
    assert {"pin", "action_source", "trust"}.isdisjoint(said), "what is as usual, or what the bundle says, is left out"
    assert said["grounds"] == [{"rule": "support-reads", "owner": "alice@example.com"}]
    assert described["grounds"][0]["because"] == "tickets are theirs"
    assert (said["revision"], said["decision_id"], said["policy_micros"]) == ("dev@abc.7", "d-1", 310)
    assert (said["source_ip"], said["method"]) == ("192.0.2.7", "tools/call")
    assert described["server"] == {"id": "slack", "trust": "low", "credential": "slack-bot"}
    assert (said["time"], said["micros"]) == ("2026-11-20T14:00:00.000000001Z", 812)
    assert described["time"] == "2026-11-20T14:00:00.123456Z"


def test_a_record_is_one_line() -> None:
    text = line(record(question({"text": "one\ntwo\r\u2028"})), at=1, writer="w", sequence=1)
    assert text.endswith(b"\n")
    assert [orjson.loads(each)["kind"] for each in text.splitlines()] == ["described", "decided"]


def test_a_policy_that_did_not_answer_is_recorded_with_its_reason() -> None:
    failure = PolicyFailure(code="policy_unavailable", detail="no answer within 250 ms", revision="dev@abc.7")
    refusal = Enforced(outcome="deny", code="policy_unavailable")
    made = decided(question(), failure, enforced=refusal, occasion=OCCASION, masking=Masking(level="full", key=KEY))
    assert (made.outcome, made.code, made.requirement) == ("deny", "policy_unavailable", "policy_unavailable")
    assert made.reasons[0].message == "no answer within 250 ms"


def test_a_refusal_by_enforcement_is_recorded_although_the_policy_allowed() -> None:
    reason = Reason(requirement="obligation_unsupported", message="not supported here: annotate")
    refusal = Enforced(outcome="deny", code="obligation_unsupported", reasons=(reason,))
    made = decided(question(), verdict(), enforced=refusal, occasion=OCCASION, masking=Masking(level="none", key=KEY))
    assert (made.outcome, made.requirement, made.rule) == ("deny", "obligation_unsupported", "support-reads")


def test_observe_is_said() -> None:
    assert record(question(), answer=verdict(observe=True)).observe


def test_the_level_none_keeps_no_input() -> None:
    made = record(question({"channel": "general"}), "none")
    assert made.input is None
    assert not made.replayable
    assert b"general" not in line(made, at=1, writer="w", sequence=1)


def test_the_level_masked_keeps_names_and_kinds_without_values() -> None:
    made = record(question({"channel": "general", "count": 12, "to": ["bob"], "urgent": True, "more": None}), "masked")
    assert made.input is not None
    assert made.input.arguments == {
        "channel": "[string of 7]",
        "count": "[number]",
        "to": ["[string of 3]"],
        "urgent": True,
        "more": None,
    }
    assert not made.replayable


def test_the_level_full_keeps_the_whole_question_and_says_that_it_can_be_replayed() -> None:
    asked = question({"channel": "general"})
    made = record(asked)
    assert made.input == asked
    assert made.replayable


def test_a_masked_question_is_not_called_replayable() -> None:
    made = record(question({"password": "hunter2"}))
    assert made.input is not None
    assert made.input.arguments == {"password": MASKED}
    assert not made.replayable


def test_an_unkeyed_digest_never_stands_beside_masked_arguments() -> None:
    for level in LEVELS:
        assert b"plain-digest" not in line(record(question({"pin": "1234"}), level), at=1, writer="w", sequence=1)


def test_the_digest_is_keyed_and_over_the_unmasked_arguments() -> None:
    asked = question({"password": "hunter2", "channel": "a"})
    made = record(asked)
    assert made.arguments.digest == digest(KEY, b'{"channel":"a","password":"hunter2"}')
    other = decided(asked, verdict(), enforced=ALLOWED, occasion=OCCASION, masking=Masking(level="full", key=b"x" * 32))
    assert other.arguments.digest != made.arguments.digest


def test_large_arguments_are_measured_and_not_recorded() -> None:
    asked = question(
        {"body": "x" * 100, "password": "hunter2"}, arguments_meta=ArgumentsMeta(bytes=70_000, schema="match")
    )
    refusal = Reason(requirement="r", message="hunter2 is weak")
    made = record(asked, answer=verdict(shadow=[refusal]))
    assert made.input is None
    assert not made.replayable
    assert made.arguments.bytes == 70_000
    assert made.shadow[0].message == f"{MASKED} is weak"


def mismatched(name: str) -> PolicyInput:
    error = ArgumentError(path=f"/{name}", keyword="type", message=f"argument `{name}` is null")
    meta = ArgumentsMeta(bytes=20, digest="", depth=1, schema="mismatch", errors=[error], unchecked=["/properties/x"])
    return question({name: None, "password": "hunter2"}, arguments_meta=meta)


def test_the_level_none_repeats_no_name_of_an_argument_in_a_reason() -> None:
    asked = mismatched("patient-7")
    reason = Reason(requirement="arguments_match_the_schema", message=asked.arguments_meta.errors[0].message)
    for level in LEVELS:
        written = line(record(asked, level, answer=verdict(reasons=[reason])), at=1, writer="w", sequence=1)
        assert (b"patient-7" in written) == (level != "none")
        assert b'"unchecked":["/properties/x"]' in written


def test_an_error_repeats_no_secret() -> None:
    asked = mismatched("ghp_abcdefghijklmnopqrstuvwxyz")
    reason = Reason(requirement="arguments_match_the_schema", message=asked.arguments_meta.errors[0].message)
    for level in LEVELS:
        made = record(asked, level, answer=verdict(reasons=[reason]))
        assert b"ghp_abcdefghijkl" not in line(made, at=1, writer="w", sequence=1)


def test_a_long_list_is_not_recorded() -> None:
    asked = question()
    item = Item(message=asked.message, target=asked.target, definition=None)
    assert record(replace(asked, items=[item] * 201)).input is None


@pytest.mark.parametrize(
    "arguments",
    [
        {"apiKey": "s3cr3t-value"},
        {"API-KEY": "s3cr3t-value"},
        {"db": {"pass_word": "s3cr3t-value"}},
        {"auth": {"user": "s3cr3t-value"}},
        {"headers": [{"name": "Authorization", "value": "s3cr3t-value"}]},
        {"env": [{"key": "DB_PASSWORD", "value": "s3cr3t-value"}]},
        {"text": "please use password: s3cr3t-value for it"},
        {"body": '{"client_secret": "s3cr3t-value"}'},
        {"url": "https://bob:s3cr3t-value@db.example/x"},
        {"url": "https://x.example/?token=s3cr3t-value&a=b"},
        {"header": "Bearer s3cr3t-value"},
        {"connection_string": "s3cr3t-value"},
        {"token": "s3cr3t-value", "note": "it is s3cr3t-value, keep it"},
        {"token": "s3cr3t-value", "s3cr3t-value": 1},
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_secrets_are_known_by_key_and_by_context(arguments: dict[str, Any], level: Level) -> None:
    assert b"s3cr3t" not in line(record(question(arguments), level), at=1, writer="w", sequence=1)


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "xoxb-123456789012-abcdefghij",
        "AKIA" + "ABCD1234EFGH5678",
        "sk-ant-" + "api03-abcdefghijklmnop",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\n-----END RSA PRIVATE KEY-----",
        "AIza" + "SyA1234567890abcdefghijklmnopqrstuv",
    ],
)
@pytest.mark.parametrize("level", LEVELS)
def test_secrets_are_known_by_their_pattern(secret: str, level: Level) -> None:
    asked = question(
        {"text": f"look: {secret} there"},
        target=Target(type="resource", uri=f"file:///{secret.splitlines()[0]}"),
        client=Client(name=secret, version="1"),
    )
    answer = verdict(
        shadow=[Reason(requirement="r", message=f"{secret} is not known", remedy=secret)],
        obligations=[Obligation(requirement="r", type="annotate", params={"text": secret})],
    )
    text = line(record(asked, level, answer), at=1, writer="w", sequence=1).decode()
    assert json.dumps(secret)[1:-1] not in text
    assert "look: [masked] there" in text or level != "full"


@pytest.mark.parametrize(
    "arguments",
    [
        {"max_tokens": 100, "n": 1},
        {"author": "bob", "keyboard": "us", "passenger": "x", "monkey": "y", "key": "z", "sign": "s", "side": "left"},
        {"text": "the signal: strong; passenger: Bob; tasks: 3; see https://example.com:8443/a@b"},
        {"show_password": True, "token": None},
    ],
)
def test_values_that_are_not_secret_stay_unchanged(arguments: dict[str, Any]) -> None:
    assert record(question(arguments)).replayable


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
SECRET_KEYS = st.sampled_from(["password", "Api-Key", "client_secret", "accessToken", "authorization", "PIN", "cookie"])
SECRETS = st.text("ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=6, max_size=12).map(lambda text: "q9Z" + text)


@given(secret=SECRETS, key=SECRET_KEYS, beside=VALUES, level=st.sampled_from(LEVELS), wrap=st.integers(0, 4))
def test_no_secret_value_survives_at_any_level(secret: str, key: str, beside: Any, level: Level, wrap: int) -> None:
    hidden: Any = {key: [secret, {"deep": secret}] if wrap % 2 else secret}
    for _ in range(wrap):
        hidden = {"nested": [hidden, beside]}
    arguments = {"a": beside, "b": hidden, "c": f"and again {secret}", secret: 1}
    answer = verdict(shadow=[Reason(requirement="r", message=f"{secret} is weak")])
    text = line(record(question(arguments), level, answer), at=1, writer="w", sequence=1)
    assert secret.encode() not in text


@given(arguments=st.dictionaries(st.text(max_size=8), VALUES, max_size=4), level=st.sampled_from(LEVELS))
def test_any_arguments_become_one_line_of_json(arguments: dict[str, Any], level: Level) -> None:
    text = line(record(question(arguments), level), at=1, writer="w", sequence=1)
    assert [json.loads(each)["kind"] for each in text.split(b"\n")[:-1]] == ["described", "decided"]


@given(arguments=st.dictionaries(st.text(max_size=8), VALUES, max_size=4))
def test_replayable_means_that_the_question_can_be_asked_again(arguments: dict[str, Any]) -> None:
    asked = question(arguments)
    made = record(asked)
    assert made.replayable == (made.input == asked)


def test_deep_arguments_under_a_secret_do_not_exhaust_the_stack() -> None:
    deep: Any = "s3cr3t-value"
    for _ in range(5_000):
        deep = [deep]
    for level in LEVELS:
        text = line(record(question({"password": deep}), level), at=1, writer="w", sequence=1)
        assert b"s3cr3t" not in text


@given(st.lists(st.tuples(st.sampled_from([KEY, b"", b"other", b"long" * 40]), st.binary(max_size=3000)), max_size=8))
def test_a_keyed_digest_is_hmac_sha256_whatever_was_digested_before(digested: list[tuple[bytes, bytes]]) -> None:
    for key, text in digested:
        assert digest(key, text) == "hmac-sha256:" + hmac.digest(key, text, "sha256").hex()


def test_a_refused_record_keeps_measure_and_digest_of_the_bytes_and_not_the_bytes() -> None:
    body = b'{"jsonrpc": "2.0", "password": "hunter2"'
    about = PartialMessage(server="slack", method="x" * 900, detail="not JSON: token=abcdef", status=400, body=body)
    made = refused(
        OCCASION, code="malformed", source_ip="192.0.2.7", about=about, masking=Masking(level="none", key=KEY)
    )
    text = line(made, at=1, writer="w", sequence=1)
    assert (made.bytes, made.digest) == (len(body), digest(KEY, body))
    assert len(made.method) == 500
    assert b"hunter2" not in text
    assert b"abcdef" not in text
    assert orjson.loads(text)["kind"] == "refused"


def test_completed_and_counted_say_what_kind_they_are() -> None:
    done = Completed(call_id="call-1", unix_ns=1, monotonic_ns=2, outcome="answered", status=200)
    many = Counted(unix_ns=1, since_ns=0, server="slack", method="ping", count=7)
    assert orjson.loads(line(done, at=1, writer="w", sequence=1))["kind"] == "completed"
    assert orjson.loads(line(many, at=1, writer="w", sequence=2))["count"] == 7


def kept(arguments: Mapping[str, Any], *pointers: str, level: Level = "masked") -> Any:
    masking = Masking(level=level, key=KEY, kept=in_arguments(pointers))
    made = decided(question(arguments), verdict(), enforced=ALLOWED, occasion=OCCASION, masking=masking)
    assert not made.replayable
    return made.input.arguments if made.input else None


def test_masked_keeps_the_arguments_that_it_is_told_to_and_no_others() -> None:
    arguments = {"to": "a@example.com", "text": "hello", "deep": {"a/b": 7, "c": "x"}, "list": ["one", {"k": "two"}]}
    assert kept(arguments, "/to") == {
        "to": "a@example.com",
        "text": "[string of 5]",
        "deep": {"a/b": "[number]", "c": "[string of 1]"},
        "list": ["[string of 3]", {"k": "[string of 3]"}],
    }
    assert kept(arguments, "/deep/a~1b", "/list/1/k") == {
        "to": "[string of 13]",
        "text": "[string of 5]",
        "deep": {"a/b": 7, "c": "[string of 1]"},
        "list": ["[string of 3]", {"k": "two"}],
    }
    assert kept(arguments, "/deep", "/deep/c")["deep"] == arguments["deep"]
    assert kept(arguments, "/deep/c", "/deep")["deep"] == arguments["deep"]


@pytest.mark.parametrize("pointer", ["", "to", "to/", "/", "/to/more", "//to"])
def test_a_pointer_to_a_missing_argument_keeps_nothing(pointer: str) -> None:
    assert kept({"to": "a@example.com"}, pointer) == {"to": "[string of 13]"}


def test_a_secret_is_kept_by_no_pointer() -> None:
    assert kept({"password": "hunter22", "text": "hunter22"}, "/password", "/text") == {
        "password": MASKED,
        "text": MASKED,
    }


def test_without_inputs_nothing_is_kept() -> None:
    assert kept({"to": "a@example.com"}, "/to", level="none") is None


def reading(*places: str, masking: Masking, asked: PolicyInput) -> PolicyInput:
    told = replace(verdict(), decision=replace(verdict().decision, reads=list(places)))
    made = decided(asked, told, enforced=ALLOWED, occasion=OCCASION, masking=masking)
    assert made.input is not None
    assert not made.replayable
    return made.input


def test_masked_keeps_what_the_policy_read_of_arguments_claims_and_headers() -> None:
    asked = question({"to": "a@example.com", "text": "hello"})
    asked = replace(
        asked,
        principal=replace(asked.principal, claims={"team": "red", "name": "Ann"}),
        context=replace(asked.context, headers={"x-team": "red", "x-name": "Ann"}),
    )
    masking = Masking(level="masked", key=KEY)
    kept = reading("/arguments/to", "/principal/claims/team", "/context/headers/x-team", masking=masking, asked=asked)
    assert kept.arguments == {"to": "a@example.com", "text": "[string of 5]"}
    assert kept.principal.claims == {"team": "red", "name": "[string of 3]"}
    assert kept.context.headers == {"x-team": "red", "x-name": MASKED}
    whole = reading("/arguments", "/context/headers", masking=masking, asked=asked)
    assert (whole.arguments, whole.context.headers) == (asked.arguments, asked.context.headers)
    assert whole.principal.claims == {"team": "[string of 3]", "name": "[string of 3]"}


@pytest.mark.parametrize("place", ["arguments/to", "/to", "", "/arguments/text/to", "/principal/to", "/argumentsto"])
def test_a_place_that_is_not_in_the_arguments_keeps_none(place: str) -> None:
    kept = reading(place, masking=Masking(level="masked", key=KEY), asked=question({"to": "a@example.com"}))
    assert kept.arguments == {"to": "[string of 13]"}


def test_values_that_the_policy_read_are_masked_if_the_operator_wants_it() -> None:
    masking = Masking(level="masked", key=KEY, reads=False)
    kept = reading("/arguments/to", masking=masking, asked=question({"to": "a@example.com"}))
    assert kept.arguments == {"to": "[string of 13]"}


def test_a_secret_that_the_policy_read_is_masked_all_the_same() -> None:
    masking = Masking(level="masked", key=KEY)
    kept = reading("/arguments", masking=masking, asked=question({"password": "hunter22", "to": "hunter22"}))
    assert kept.arguments == {"password": MASKED, "to": MASKED}


@pytest.mark.parametrize("level", LEVELS)
def test_a_record_names_the_session_by_the_digest_that_policy_sees(level: Level) -> None:
    asked = question()
    digest_of = session_digest("a-sealed-session-id")
    asked = replace(asked, context=replace(asked.context, session=digest_of))
    made = decided(asked, verdict(), enforced=ALLOWED, occasion=OCCASION, masking=Masking(level=level, key=KEY))
    assert made.session == digest_of
    assert made.input is None or made.input.context.session == digest_of
    assert b"a-sealed-session-id" not in lines_of(made)
    assert (len(digest_of), session_digest("")) == (32, "")
    assert listing(asked, []).context.session == "", "equal lists of one caller ask equal questions"
