"""Calls that the catalog wants recorded with their arguments: they pass only if there is an auditor's key."""

from msgspec.structs import replace

from gateway.admission.record import Decided
from gateway.protocol.errors import FAILURES
from tests.fakes import FakeReply, World, allow
from tests.unit.server.client import Browser

RESULT = b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}}'


def backwards(content: bytes) -> bytes:
    return content[::-1]


def world(*, auditor: bool) -> World:
    made = World(lambda _: replace(allow(), record="full"), lambda _: FakeReply(RESULT))
    parts = made.pipeline.engine.parts
    seal = backwards if auditor else None
    made.pipeline.engine.parts = replace(parts, masking=replace(parts.masking, seal=seal))  # pyright: ignore[reportAttributeAccessIssue]
    return made


async def test_without_an_auditors_key_the_call_is_refused_and_not_sent() -> None:
    gateway = world(auditor=False)
    got = await Browser(gateway).legacy("tools/call", {"name": "t", "arguments": {"to": "bob@example.com"}})
    assert "no auditor's key" in got.json["result"]["content"][0]["text"]
    assert "journal.auditor_key" in got.json["result"]["content"][0]["text"]
    record = gateway.journal.records[-1]
    assert isinstance(record, Decided)
    assert (record.outcome, record.code, record.sealed) == ("deny", "recording_unsupported", "")
    assert b"bob@example.com" not in repr(record).encode()
    assert gateway.journal.completions == []
    assert FAILURES["recording_unsupported"].passing is False


async def test_with_an_auditors_key_the_call_passes_and_its_arguments_are_sealed() -> None:
    gateway = world(auditor=True)
    got = await Browser(gateway).legacy("tools/call", {"name": "t", "arguments": {"to": "bob@example.com"}})
    assert got.body == RESULT
    record = gateway.journal.records[-1]
    assert isinstance(record, Decided)
    assert record.sealed
