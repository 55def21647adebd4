"""The body of a message follows section 7 of the wire rules, row by row."""

import json
from typing import Any

import orjson
import pytest

from gateway.protocol.errors import BATCH_REFUSED, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from gateway.protocol.malformed import Malformed
from gateway.protocol.message import Message, Notification, Request, Response, read, read_reply
from gateway.protocol.strict_json import JsonLimits


def body(**members: Any) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", **members})


def call(**arguments: Any) -> bytes:
    return body(id=1, method="tools/call", params={"name": "echo", "arguments": arguments})


def call_with(arguments: str) -> bytes:
    return (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":%s}}' % arguments.encode()
    )


def refused(outcome: Message | Malformed) -> Malformed:
    assert isinstance(outcome, Malformed), outcome
    assert outcome.status in {400, 413}
    return outcome


def test_a_request_is_read_with_its_bytes() -> None:
    raw = call(text="hello")
    assert read(raw) == Request(
        id=1, method="tools/call", params={"name": "echo", "arguments": {"text": "hello"}}, raw=raw
    )


def test_a_message_without_an_id_is_a_notification_even_of_a_request_method() -> None:
    raw = body(method="tools/call", params={"name": "echo"})
    assert read(raw) == Notification(method="tools/call", params={"name": "echo"}, raw=raw)


@pytest.mark.parametrize("answer", [{"result": {}}, {"error": {"code": -1, "message": "no"}}])
def test_a_response_carries_result_or_error(answer: dict[str, Any]) -> None:
    raw = body(id="a", **answer)
    assert read(raw) == Response(id="a", raw=raw, **answer)


def test_a_response_may_bring_back_a_sealed_id() -> None:
    assert isinstance(read(body(id="s" * 1024, result={})), Response)
    assert refused(read(body(id="s" * 1025, result={}))).fault == "id"


def test_bytes_that_are_not_canonical_are_read_alike() -> None:
    canonical = call(text="ü", number=1.5, large=-(2**53) + 1)
    spaced = json.dumps(json.loads(canonical), indent=1).encode()
    first, second = read(canonical), read(spaced)
    assert isinstance(first, Request)
    assert isinstance(second, Request)
    assert (first.id, first.method, first.params) == (second.id, second.method, second.params)
    assert second.raw == spaced


@pytest.mark.parametrize(
    "raw",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}',
        b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","meth\\u006fd":"tools/call"}',
        call_with('{"a":{"b":[{"c":1,"c":1}]}}'),
    ],
)
def test_the_same_key_twice_is_refused_at_any_depth(raw: bytes) -> None:
    problem = refused(read(raw))
    assert (problem.fault, problem.code) == ("duplicate_key", INVALID_REQUEST)
    assert (problem.id is None) is not bool(problem.method)


@pytest.mark.parametrize(
    "raw",
    [
        b'{"jsonrpc":"2.0","id":1,"Method":"tools/call","method":"tools/list"}',
        b'{"jsonrpc":"2.0","id":1,"Method":"tools/call"}',
        b'{"jsonrpc":"2.0","ID":1,"method":"tools/call"}',
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","param\u017f":{}}'.encode(),
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method\\u0000":"x"}',
    ],
)
def test_a_key_of_the_envelope_in_another_case_or_folding_is_refused(raw: bytes) -> None:
    assert refused(read(raw)).fault in {"ambiguous_key", "shape"}


@pytest.mark.parametrize(
    "key",
    [
        "NAME",
        "Name",
        "na\u200bme",
        "name\0",
        "name\0x",
        "ARGUMENTS",
        "argument\u017f",
        "tas\u212a",
        "_META",
        "ur\u0131",
        "URI",
    ],
)
def test_a_key_of_params_in_another_case_or_folding_is_refused(key: str) -> None:
    raw = body(id=1, method="tools/call", params={"name": "echo", key: "forbidden"})
    assert refused(read(raw)).fault == "ambiguous_key"


def test_a_lone_variant_of_a_reserved_key_is_refused_too() -> None:
    assert refused(read(body(id=1, method="tools/call", params={"NAME": "x"}))).fault == "ambiguous_key"


@pytest.mark.parametrize(
    "key",
    [
        "ProgressToken",
        "IO.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/PROTOCOLVERSION",
        "Io.modelcontextprotocol/new",
    ],
)
def test_a_key_of_meta_in_another_case_is_refused(key: str) -> None:
    assert refused(read(body(id=1, method="tools/list", params={"_meta": {key: 1}}))).fault == "ambiguous_key"


def test_a_vendor_key_of_meta_passes() -> None:
    assert isinstance(read(body(id=1, method="tools/list", params={"_meta": {"com.Example/Key": 1}})), Request)


@pytest.mark.parametrize("ref", [{"type": "ref/prompt", "NAME": "x"}, {"type": "ref/resource", "URI": "x"}])
def test_a_key_of_a_completion_reference_in_another_case_is_refused(ref: dict[str, str]) -> None:
    assert refused(read(body(id=1, method="completion/complete", params={"ref": ref}))).fault == "ambiguous_key"


@pytest.mark.parametrize(
    "arguments",
    [
        {"path": 1, "PATH": 2},
        {"deep": [{"kind": 1, "\u212aind": 2}]},
        {"stra\u00dfe": 1, "STRASSE": 2},
        {"file": 1, "f\u0130le": 2},
        {"a": {"b": {"x": 1, "x\u200b": 2}}},
        {"\u00e9": 1, "e\u0301": 2},
    ],
)
def test_arguments_whose_keys_fold_onto_each_other_are_refused(arguments: dict[str, Any]) -> None:
    assert refused(read(call(**arguments))).fault == "ambiguous_key"


def test_arguments_may_use_any_key_once() -> None:
    assert isinstance(read(call(NAME=1, channelId=2, Tools=3, nested={"Method": 1, "uri": 2})), Request)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])
def test_other_encodings_than_utf_8_and_byte_order_marks_are_refused(encoding: str) -> None:
    assert refused(read(call(text="x").decode().encode(encoding))).code == PARSE_ERROR


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf5\x80\x80\x80"])
def test_bytes_that_are_not_utf_8_are_refused(bad: bytes) -> None:
    assert refused(read(call(text="x").replace(b'"x"', b'"' + bad + b'"'))).code == PARSE_ERROR


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_json_does_not_have_are_refused(number: str) -> None:
    assert refused(read(call_with(f'{{"n":{number}}}'))).code == PARSE_ERROR


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00", "\\ud800x", "\\udc00\\ud800"])
def test_a_lone_surrogate_is_refused(escape: str) -> None:
    assert refused(read(call_with(f'{{"n":"{escape}"}}'))).code == PARSE_ERROR
    assert refused(read(call_with(f'{{"{escape}":1}}'))).code == PARSE_ERROR


@pytest.mark.parametrize("written", ["1.0", "1.5", "null", "true", "[]", "{}", "-9007199254740992", "9007199254740992"])
def test_an_id_is_a_string_or_a_safe_integer(written: str) -> None:
    problem = refused(read(b'{"jsonrpc":"2.0","id":%s,"method":"ping"}' % written.encode()))
    assert problem.fault in {"id", "number"}
    assert problem.id is None


def test_an_id_of_two_to_the_seventieth_is_refused() -> None:
    assert refused(read(b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % 2**70)).fault == "number"


@pytest.mark.parametrize("edge", [0, -(2**53) + 1, 2**53 - 1, "", "x" * 256])
def test_ids_at_the_edge_pass(edge: str | int) -> None:
    message = read(body(id=edge, method="ping"))
    assert isinstance(message, Request)
    assert message.id == edge


def test_an_id_longer_than_256_characters_is_refused() -> None:
    assert refused(read(body(id="x" * 257, method="ping"))).fault == "id"


@pytest.mark.parametrize(
    "members",
    [
        {"id": 1, "method": "tools/call", "result": {}},
        {"id": 1, "method": "tools/call", "error": {"code": 1, "message": ""}},
        {"id": 1, "result": {}, "error": {"code": 1, "message": ""}},
        {"method": "tools/call", "result": {}},
        {"id": 1, "result": {}, "params": {}},
    ],
)
def test_mixed_shapes_are_refused(members: dict[str, Any]) -> None:
    assert refused(read(body(**members))).fault == "shape"


@pytest.mark.parametrize(
    "members",
    [
        {"id": 1},
        {"result": {}},
        {"id": 1, "result": None},
        {"id": 1, "result": []},
        {"id": 1, "error": {"code": "1", "message": ""}},
        {"id": 1, "error": {"code": 1}},
        {"id": None, "error": {"code": 1, "message": ""}},
        {"id": 1, "method": 5},
        {"id": 1, "method": ""},
        {"id": 1, "method": "m" * 257},
        {"id": 1, "method": "ping", "extra": 1},
    ],
)
def test_an_invalid_message_is_refused(members: dict[str, Any]) -> None:
    refused(read(body(**members)))


@pytest.mark.parametrize("version", ['"1.0"', "2.0", "2", "null", '"2.0 "'])
def test_jsonrpc_is_exactly_2_0(version: str) -> None:
    assert refused(read(b'{"jsonrpc":%s,"id":1,"method":"ping"}' % version.encode())).id == 1
    assert refused(read(b'{"id":1,"method":"ping"}')).id == 1


@pytest.mark.parametrize("params", ["null", "[]", '"x"', "1"])
def test_params_are_an_object_or_absent(params: str) -> None:
    problem = refused(read(b'{"jsonrpc":"2.0","id":"q","method":"ping","params":%s}' % params.encode()))
    assert (problem.code, problem.id) == (INVALID_PARAMS, "q")
    assert isinstance(read(body(id=1, method="ping")), Request)


@pytest.mark.parametrize("raw", [b"[]", b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]'])
def test_a_batch_is_refused_with_a_code_of_its_own(raw: bytes) -> None:
    problem = refused(read(raw))
    assert (problem.fault, problem.code) == ("batch", BATCH_REFUSED)


@pytest.mark.parametrize("raw", [b"", b"null", b"1", b'"x"', b"{", b'{"jsonrpc":"2.0"}x', b"{}"])
def test_a_body_that_is_not_one_object_is_refused(raw: bytes) -> None:
    refused(read(raw))


def nested(levels: int) -> bytes:
    """Return a request whose innermost list is at the given depth; body, params and arguments are three levels."""
    return call_with('{"n":' + "[" * (levels - 3) + "]" * (levels - 3) + "}")


def test_nesting_ends_at_64_levels() -> None:
    assert isinstance(read(nested(64)), Request)
    assert refused(read(nested(65))).fault == "too_complex"
    assert refused(read(nested(500))).fault == "too_complex"
    assert refused(read(nested(100_000))).fault == "too_complex"
    assert refused(read(b"[" * 100_000)).fault == "too_complex"


def test_many_objects_that_do_not_nest_pass() -> None:
    assert isinstance(read(call(rows=[{"a": 1}] * 100)), Request)


def test_a_body_with_too_many_keys_is_refused() -> None:
    limits = JsonLimits(keys=100)
    rows = [{"key": 1}] * 44  # each is an object and a key; around them are seven keys, three objects and an array
    assert isinstance(read(call(rows=[*rows, ":{[,"]), limits), Request)
    assert refused(read(call(rows=[*rows, {}, {}]), limits)).fault == "too_complex"
    flat = {f"key{number}": "{" for number in range(91)}
    assert isinstance(read(call(**flat), limits), Request)
    assert refused(read(call(**flat, more=1), limits)).fault == "too_complex"


def test_a_body_with_too_many_values_is_refused() -> None:
    limits = JsonLimits(values=100)
    assert isinstance(read(call(rows=[0] * 97), limits), Request)
    assert refused(read(call(rows=[0] * 98), limits)).fault == "too_complex"
    assert isinstance(read(call(text="," * 1000), limits), Request)


@pytest.mark.parametrize("text", ['"', '\\"', '\\\\"', '{"', "\\u007b", "\\", "{\\"])
def test_content_of_a_string_does_not_count(text: str) -> None:
    assert isinstance(read(call(text=text * 100 + "[" * 100)), Request)


def test_a_body_that_is_too_large_is_refused_before_it_is_parsed() -> None:
    problem = refused(read(b"{" * 101, JsonLimits(size=100)))
    assert (problem.fault, problem.status) == ("too_large", 413)


@pytest.mark.parametrize(
    "number",
    ["9007199254740992", "-9007199254740992", "18446744073709551616", "1" * 300, "0." + "1" * 18, "1e-400"],
)
def test_a_number_that_another_reader_would_read_differently_is_refused(number: str) -> None:
    problem = refused(read(call_with(f'{{"n":{number}}}')))
    assert problem.fault == "number"
    assert "send it as a string" in problem.reason


@pytest.mark.parametrize("number", ["-0", "-0.0", "1E5", "0.10000000000000001", "100.000000000000000000000", "1e+21"])
def test_a_number_that_every_reader_reads_alike_passes(number: str) -> None:
    message = read(call_with(f'{{"n":{number}}}'))
    assert isinstance(message, Request)
    assert message.params["arguments"]["n"] == float(number)


def test_arguments_in_any_script_pass() -> None:
    assert isinstance(read(call(größe=1, Straße=2, 名前=3, ΣΑΣ=4)), Request)


@pytest.mark.parametrize(
    "answer", [{"result": {"a": {"b": 1, "B": 2}}}, {"error": {"code": 1, "message": "", "Code": 2}}]
)
def test_a_response_whose_keys_fold_onto_each_other_is_refused(answer: dict[str, Any]) -> None:
    assert refused(read(body(id=1, **answer))).fault == "ambiguous_key"


@pytest.mark.parametrize("answer", [{"Action": "accept"}, {"action": "decline", "a\u200bction": "accept"}])
def test_an_answer_whose_keys_only_resemble_its_own_is_refused(answer: dict[str, Any]) -> None:
    assert refused(read(body(id=1, result=answer))).fault == "ambiguous_key"
    retry = {"name": "echo", "inputResponses": {"q": answer}}
    assert refused(read(body(id=1, method="tools/call", params=retry))).fault == "ambiguous_key"


def test_a_form_that_a_person_filled_in_may_have_any_keys() -> None:
    answer = {"action": "accept", "content": {"Action": "run", "Name": "x"}}
    assert isinstance(read(body(id=1, result=answer)), Response)
    retry = {"name": "echo", "inputResponses": {"q": answer}, "requestState": "s"}
    assert isinstance(read(body(id=1, method="tools/call", params=retry)), Request)


def test_a_reason_never_repeats_a_value() -> None:
    problem = refused(read(body(id=1, method="tools/call", params={"NAME": "top-secret"})))
    assert "top-secret" not in problem.reason


def test_a_reply_keeps_what_it_does_not_know() -> None:
    raw = b'{"jsonrpc": "2.0", "id": "a", "result": {"x": NULL}, "extra": 1}'.replace(b"NULL", b"null")
    assert read_reply(raw) == Response(id="a", raw=raw, result={"x": None})


def test_a_server_may_request_and_notify() -> None:
    request = body(id=0, method="roots/list")
    assert read_reply(request) == Request(id=0, method="roots/list", params={}, raw=request)
    notice = body(method="notifications/message", params={"data": 1})
    assert read_reply(notice) == Notification(method="notifications/message", params={"data": 1}, raw=notice)


@pytest.mark.parametrize("member", ['"id": null', '"id": 1, "extra": null'])
def test_a_null_that_every_client_accepts_keeps_its_bytes(member: str) -> None:
    raw = b'{"jsonrpc": "2.0", %s, "error": {"code": 1, "message": "no"}}' % member.encode()
    reply = read_reply(raw)
    assert isinstance(reply, Response)
    assert reply.raw == raw


@pytest.mark.parametrize("absent", [{}, {"id": None}])
def test_only_an_error_may_come_without_an_id(absent: dict[str, None]) -> None:
    reply = read_reply(body(error={"code": -32700, "message": "no"}, **absent))
    assert isinstance(reply, Response)
    assert reply.id is None
    refused(read_reply(body(result={}, **absent)))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"jsonrpc":"2.0","id":1,"id":2,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"result":{"a":1}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"r\\u0065sult":{"a":1}}',
        b'{ "jsonrpc" : "2.0" , "id":1,"result":{},"jsonrpc" :"2.0"}',
        rb'{"jsonrpc":"2.0","id":1,"id":2,"x\u0022\u0022":0,"result":{}}',
        rb'{"jsonrpc":"2.0","id":2,"result":{"a":"b"},"x\u0022\u0022\u0022\u0022\u0022\u0022":0,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"Result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{},"error":0}',
        b'{"jsonrpc":"2.0","id":1,"result":null,"error":null}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","result":{}}',
        b'{"jsonrpc":"2.0","id":1.5,"result":{}}',
        b'{"jsonrpc":"2.0","id":1e300,"result":{}}',
        b'{"jsonrpc":"2.0","id":true,"result":{}}',
        b'{"jsonrpc":"2.0","id":null,"method":"x"}',
        b'{"jsonrpc":"2.0","id":1,"result":[]}',
        b'{"jsonrpc":"2.0","id":1,"method":"x","params":[]}',
        b'{"jsonrpc":"1.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":NaN}}',
        b"[]",
        b"data",
    ],
)
def test_an_ambiguous_reply_is_refused(raw: bytes) -> None:
    refused(read_reply(raw))


@pytest.mark.parametrize(
    "result",
    [
        '{"id":1,"items":[{"id":2},{"id":3}]}',
        '{"text":"\\u006dethod"}',
        '{"n":[1, 2 ,{"result":{}}]}',
        '{"r":"\\"id\\""}',
    ],
)
def test_a_reply_may_use_the_words_of_the_envelope_inside(result: str) -> None:
    reply = read_reply(b'{"jsonrpc":"2.0",  "id":1,"result":%s}' % result.encode())
    assert isinstance(reply, Response)
    assert reply.result == json.loads(result)


def test_the_id_of_a_servers_request_is_bounded() -> None:
    raw = '{"jsonrpc":"2.0","id":"%s","method":"ping"}'
    assert isinstance(read_reply((raw % ("i" * 512)).encode()), Request)
    assert "512 characters" in refused(read_reply((raw % ("i" * 513)).encode())).reason


@pytest.mark.parametrize("node", ["[]", "{}"])
def test_a_reply_of_very_many_objects_or_arrays_is_refused(node: str) -> None:
    nodes = ",".join([node] * 500_001)
    raw = f'{{"jsonrpc":"2.0","id":1,"result":{{"a":[{nodes}]}}}}'
    assert "500000 objects and arrays" in refused(read_reply(raw.encode())).reason
    text = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"text": f'"[{nodes}]"'}})
    assert isinstance(read_reply(text), Response)


def test_a_reply_that_nests_too_deep_to_be_written_is_refused() -> None:
    deep = b'{"jsonrpc":"2.0","id":1,"result":{"n":' + b"[" * 300 + b"]" * 300 + b"}}"
    assert refused(read_reply(deep)).fault == "too_complex"


@pytest.mark.parametrize("extra", ['"\\u0022\\u0022":0', '"\\u0022":0,"b\\u0022":0', '"\\u0022\\u0022x":"y"'])
def test_no_other_key_hides_that_a_server_wrote_a_key_twice(extra: str) -> None:
    for doubled in ('"id":1,"id":2,"result":{}', '"id":1,"result":{},"result":{"a":1.0}'):
        found = read_reply(f'{{"jsonrpc":"2.0",{doubled},{extra}}}'.encode())
        assert isinstance(found, Malformed)
        assert found.fault == "duplicate_key"
