"""Servers may echo the id of a request in several forms and bodies."""

from typing import Any

import orjson
import pytest

from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Notification, Response, read_reply
from gateway.protocol.reply_ids import addressed, alike, read_body, same

RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"n":1.50,"big":340282366920938463463374607431768211455}}'


@pytest.mark.parametrize(
    ("given", "own"), [("1", 1), ("1.0", 1), (1.0, 1), (1, "1"), (1.0, "1"), (1.0, "1.0"), ("-7", -7), (0, "0")]
)
def test_another_form_of_an_id_is_alike_and_not_the_same(given: Any, own: str | int) -> None:
    assert alike(given, own)
    assert not same(given, own)


@pytest.mark.parametrize(
    ("given", "own"),
    [
        *(("2", 1), ("01", 1), (" 1", 1), ("1e0", 1), ("+1", 1), ("", 0), ("\uff11", 1), (True, 1), (False, 0)),
        *((1.5, 1), (None, 1), ([1], 1), ({}, 1), (7, "007"), (1, "one"), (True, "True"), (None, "None"), ("A", "a")),
    ],
)
def test_another_id_is_not_alike(given: Any, own: str | int) -> None:
    assert not alike(given, own)


def test_a_response_under_another_id_keeps_its_other_bytes() -> None:
    response = read_reply(RESULT)
    assert isinstance(response, Response)
    moved = addressed(response, "a")
    assert (moved.id, moved.raw) == ("a", RESULT.replace(b'"id":1', b'"id":"a"'))


def test_a_response_without_an_id_gets_one() -> None:
    response = read_reply(b'{"jsonrpc":"2.0","error":{"code":-1,"message":"no"}}')
    assert isinstance(response, Response)
    assert orjson.loads(addressed(response, 3).raw)["id"] == 3


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b" \r\n\t"])
@pytest.mark.parametrize(("before", "after"), [(b"", b""), (b"[", b"]"), (b"[ ", b"\n]")])
def test_a_body_may_have_a_mark_and_be_an_array_of_one(mark: bytes, before: bytes, after: bytes) -> None:
    response = read_body(mark + before + RESULT + after + b"\r\n")
    assert isinstance(response, Response)
    assert response.raw.strip() == RESULT


@pytest.mark.parametrize("body", [b"[]", b"[1]", b"[" + RESULT + b"," + RESULT + b"]", b"[[" + RESULT + b"]]", b"["])
def test_an_array_that_is_not_of_one_message_is_refused(body: bytes) -> None:
    assert isinstance(read_body(body), Malformed)


@pytest.mark.parametrize("form", [b"1.0", b"1e0", b"10E-1"])
def test_a_whole_number_is_an_integer_to_every_reader(form: bytes) -> None:
    response = read_reply(RESULT.replace(b'"id":1', b'"id":' + form))
    assert isinstance(response, Response)
    assert (response.id, response.raw) == (1, RESULT)


@pytest.mark.parametrize("absent", [b'"error":null,', b'"method":null,', b'"params":null,"error":null,"method":null,'])
def test_members_that_are_null_beside_a_result_are_left_out(absent: bytes) -> None:
    response = read_reply(RESULT.replace(b'"id"', absent + b'"id"'))
    assert isinstance(response, Response)
    assert response.raw == RESULT


def test_a_null_result_beside_an_error_and_null_params_are_left_out() -> None:
    error = read_reply(b'{"jsonrpc":"2.0","id":1,"result":null,"error":{"code":-1,"message":"no"}}')
    assert isinstance(error, Response)
    assert error.raw == b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}'
    news = read_reply(b'{"jsonrpc":"2.0","method":"notifications/message","params":null}')
    assert news == Notification(
        method="notifications/message", params={}, raw=b'{"jsonrpc":"2.0","method":"notifications/message"}'
    )


@pytest.mark.parametrize(
    "raw",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{},"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":""}}',
        b'{"jsonrpc":"2.0","id":1,"result":"done"}',
        b'{"jsonrpc":"2.0","id":1,"result":null}',
        b'{"jsonrpc":"2.0","id":1.0,"error":{"code":"1"}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"Result":{}}',
    ],
)
def test_a_response_that_cannot_be_used_names_the_request_that_it_answers(raw: bytes) -> None:
    problem = read_reply(raw)
    assert isinstance(problem, Malformed)
    assert problem.id == 1


@pytest.mark.parametrize(
    "raw",
    [
        *(b"1", b"[]", b"null", b"{}", b"ping", b'{"id":1,"result":{}}', b'{"jsonrpc":"2.0","id":1}'),
        *(b'{"jsonrpc":"2.0","id":1,"method":"x","params":[]}', b'{"jsonrpc":"2.0","id":1,"result":{}} x'),
    ],
)
def test_a_message_that_is_not_a_response_names_no_request(raw: bytes) -> None:
    problem = read_reply(raw)
    assert isinstance(problem, Malformed)
    assert problem.id is None
