"""Records take valid ids of other systems, leave out all others, and mark the client's ids as unverified."""

import re
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.correlation import Correlation, correlation_of, unread
from gateway.protocol.headers import Headers

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT: Final = f"00-{TRACE}-00f067aa0ba902b7-01"
OTHER: Final = f"00-{'a' * 32}-00f067aa0ba902b7-00"
SECRET: Final = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"


def found(headers: dict[str, str] | None = None, *, given: bool = False, **meta: Any) -> Correlation:
    params = {"_meta": {key.replace("__", "/").replace("_dot_", "."): value for key, value in meta.items()}}
    return correlation_of(Headers(headers or {}), params, "r-1", given=given)


def test_nothing_that_the_client_says_is_marked_if_it_says_nothing() -> None:
    assert found() == Correlation(request_id="r-1")
    assert found(given=True).unverified == ("request_id",)
    assert (unread("r-1", given=True).unverified, unread("r-1", given=False).unverified) == (("request_id",), ())


def test_the_trace_id_is_that_of_the_header_or_else_of_the_meta_data() -> None:
    assert found({"traceparent": PARENT}).trace_id == TRACE
    assert found(traceparent=PARENT).trace_id == TRACE
    both = found({"traceparent": PARENT}, traceparent=OTHER)
    assert (both.trace_id, both.unverified) == (TRACE, ("trace_id",))


@pytest.mark.parametrize(
    "text",
    [
        "",
        TRACE,
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-00f067aa0ba902b7-01",
        f"00-{TRACE}-00f067aa0ba902b7-01-extra",
        f"{PARENT}, {PARENT}",
        f"{PARENT}\n",
        f" {PARENT}",
        7,
        None,
        [PARENT],
        {"traceparent": PARENT},
    ],
)
def test_a_traceparent_of_another_form_is_left_out(text: Any) -> None:
    assert found(traceparent=text) == Correlation(request_id="r-1")
    if isinstance(text, str):
        assert found({"traceparent": text}) == Correlation(request_id="r-1")


@pytest.mark.parametrize(
    "said",
    [
        {"headers": {"baggage": "gen_ai.conversation.id=chat-7"}},
        {"headers": {"baggage": "a=b;p=1, session.id = chat-7 ;secret;x=y , c=d"}},
        {"headers": {"baggage": "session.id=chat%2D7"}},
        {"baggage": "session.id=other,gen_ai.conversation.id=chat-7"},
        {"openai__session": "chat-7"},
        {"vscode_dot_conversationId": "chat-7"},
        {"sessionID": "chat-7"},
        {"openai__session": {"not": "text"}, "sessionID": "chat-7"},
    ],
)
def test_the_conversation_is_read_where_clients_say_it(said: dict[str, Any]) -> None:
    known = found(said.pop("headers", None), **said)
    assert (known.conversation, known.unverified) == ("chat-7", ("conversation",))


HOSTILE: Final = (
    *("", " ", "a b", "a\nb", "a\x1b[2J", 'a","outcome":"deny', "<script>", "-a", "x" * 129, "ü", "\ud800", SECRET),
    *("password=hunter2", "Bearer abcdefghijklmnop"),
)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_conversation_is_left_out(text: str) -> None:
    assert found(openai__session=text).conversation == ""
    assert found({"baggage": f"session.id={text}"}).conversation in {"", "a"}
    assert found(baggage=f"session.id={text}").conversation in {"", "a"}


@pytest.mark.parametrize(
    "baggage",
    [
        "session.id=one,session.id=two",
        "session.id",
        "=chat-7",
        "xsession.id=chat-7",
        ",".join(["a=b"] * 64 + ["session.id=chat-7"]),
        "a=" + "b" * 8192 + ",session.id=chat-7",
        "session.id=%ff%fe",
        "session.id=%0a",
    ],
)
def test_a_baggage_that_is_too_large_or_says_two_things_says_nothing(baggage: str) -> None:
    assert found({"baggage": baggage}).conversation == ""


@given(
    st.dictionaries(
        st.sampled_from(["traceparent", "baggage", "openai/session", "vscode.conversationId", "sessionID"]),
        st.text() | st.none() | st.integers() | st.lists(st.text(), max_size=2),
    ),
    st.dictionaries(st.sampled_from(["traceparent", "baggage"]), st.text()),
)
def test_only_short_plain_text_of_a_client_is_recorded(meta: dict[str, Any], sent: dict[str, str]) -> None:
    known = correlation_of(Headers(sent), {"_meta": meta}, "r-1", given=False)
    assert re.fullmatch("(?:[0-9a-f]{32})?", known.trace_id)
    assert re.fullmatch("(?:[A-Za-z0-9][A-Za-z0-9._:/@+=~-]{0,127})?", known.conversation)
    assert (known.unverified == ()) == (not known.trace_id and not known.conversation)
    assert correlation_of(Headers({}), {"_meta": [meta]}, "r-1", given=False) == Correlation(request_id="r-1")
