"""Callers without a valid credential: 401 with a challenge, nothing sent, and few records however many come.

Rule 1: what the body says is not looked at before the caller is known.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
import pytest_asyncio

from gateway.identity.tokens import digest, token
from tests.faults.behind import Behind, standing
from tests.faults.wire import LEGACY_POST
from tests.running import until

pytestmark = pytest.mark.asyncio(loop_scope="module")

KNOWN: Final = token(b"k" * 32)
EXPIRED: Final = token(b"e" * 32)
TOKENS: Final = {
    "agent": "bot",
    "owner": "test@example.com",
    "purpose": "tests",
    "kind": "test",
    "tokens": [
        {"sha256": digest(KNOWN), "holder": "a@example.com", "expires": "2099-01-01T00:00:00Z"},
        {"sha256": digest(EXPIRED), "holder": "a@example.com", "expires": "2020-01-01T00:00:00Z"},
    ],
}
STRANGERS: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "none": (),
    "of another scheme": (("Authorization", "Basic YTpi"),),
    "no token": (("Authorization", "Bearer nonsense"),),
    "unknown": (("Authorization", f"Bearer {token(b'u' * 32)}"),),
    "expired": (("Authorization", f"Bearer {EXPIRED}"),),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Behind]:
    """A gateway that knows one token."""
    files = {"agents/anyone.yaml": TOKENS}
    settings = {"identity": {"anonymous": False}}
    async with standing(tmp_path_factory.mktemp("gateway"), files=files, settings=settings) as made:
        got = await made.line.called("echo", {}, ("Authorization", f"Bearer {KNOWN}"))
        assert not got.message["result"].get("isError"), got
        yield made


@pytest.mark.parametrize("case", STRANGERS)
@pytest.mark.parametrize("body", [True, False], ids=["call", "garbage"])
async def test_a_caller_without_a_valid_credential_is_answered_401(guarded: Behind, case: str, *, body: bool) -> None:
    guarded.server.begin()
    headers = STRANGERS[case]
    got = await (guarded.line.called("echo", {}, *headers) if body else guarded.line.post(b"{", *LEGACY_POST, *headers))
    known_form = case in {"unknown", "expired"}
    assert got.status == (401 if body or not known_form else 400)
    if got.status == 401:
        assert got.headers["www-authenticate"].startswith("Bearer")
    assert guarded.server.received == []


@pytest.mark.parametrize("case", ["none", "unknown"])
async def test_a_flood_of_strangers_is_recorded_in_bounded_records(guarded: Behind, case: str) -> None:
    guarded.server.begin()
    before = len(guarded.gateway.records("refused")), len(guarded.gateway.records("decided"))
    for _ in range(6):
        found = await asyncio.gather(*(guarded.line.called("echo", {}, *STRANGERS[case]) for _ in range(50)))
        assert {got.status for got in found} == {401}
    assert guarded.server.received == []

    def new() -> list[dict[str, Any]]:
        return guarded.gateway.records("refused")[before[0] :]

    async def all_counted() -> bool | None:
        return True if sum(record.get("count", 1) for record in new()) >= 300 else None

    await until(all_counted, lambda: f"counted are {new()}")
    assert len(new()) < 60
    assert len(guarded.gateway.records("decided")) - before[1] <= 60
