"""The key set of an issuer."""

import asyncio
import json
import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.identity.issuer_keys import FRESH_S, MAX_STALE_S, MAX_TRIED, REFETCH_S, KeySet
from tests.unit.identity.support import EC, ED, ED448, P384, RSA, RSA_2, Clock, Published, issuer, jwk


def key_set(published: Published, clock: Clock | None = None) -> KeySet:
    return KeySet(issuer().keys_url, published.fetch, clock or Clock())


async def test_keys_are_fetched_once_while_fresh() -> None:
    published, clock = Published(jwk(RSA)), Clock()
    keys = key_set(published, clock)
    for _ in range(3):
        assert isinstance(await keys.find("1", "RS256"), tuple)
    clock.seconds += FRESH_S - 1
    await keys.find("1", "RS256")
    assert published.asked == 1


async def test_keys_are_confirmed_when_no_longer_fresh() -> None:
    published, clock = Published(jwk(RSA)), Clock()
    keys = key_set(published, clock)
    await keys.find("1", "RS256")
    published.publish(jwk(RSA_2, "2"))
    clock.seconds += FRESH_S
    assert await keys.find("1", "RS256") == "key_unknown"
    assert isinstance(await keys.find("2", "RS256"), tuple)


async def test_a_rotated_key_is_found_at_once() -> None:
    published, clock = Published(jwk(RSA)), Clock()
    keys = key_set(published, clock)
    await keys.find("1", "RS256")
    published.publish(jwk(RSA), jwk(RSA_2, "2"))
    clock.seconds += REFETCH_S
    assert isinstance(await keys.find("2", "RS256"), tuple)
    assert published.asked == 2


async def test_unknown_key_ids_do_not_hammer_the_issuer() -> None:
    published, clock = Published(jwk(RSA)), Clock()
    keys = key_set(published, clock)
    for index in range(50):
        assert await keys.find(f"x{index}", "RS256") == "key_unknown"
    assert published.asked == 1


async def test_many_callers_wait_for_one_fetch() -> None:
    published, entered, opened = Published(jwk(RSA)), asyncio.Event(), asyncio.Event()

    async def slow(url: str) -> bytes | None:
        entered.set()
        await opened.wait()
        return await published.fetch(url)

    keys = KeySet(issuer().keys_url, slow, Clock())
    waiting = [asyncio.create_task(keys.find("1", "RS256")) for _ in range(20)]
    await entered.wait()
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    opened.set()
    found = await asyncio.gather(*waiting[1:])
    assert all(isinstance(key, tuple) for key in found)
    assert published.asked == 1


async def test_an_issuer_that_is_down_makes_keys_unavailable_not_unknown() -> None:
    published, clock = Published(), Clock()
    published.document = None
    keys = key_set(published, clock)
    assert await keys.find("1", "RS256") == "keys_unavailable"
    published.publish(jwk(RSA))
    assert await keys.find("1", "RS256") == "keys_unavailable"
    clock.seconds += REFETCH_S
    assert isinstance(await keys.find("1", "RS256"), tuple)


async def test_known_keys_outlive_an_outage_but_not_for_ever() -> None:
    published, clock = Published(jwk(RSA)), Clock()
    keys = key_set(published, clock)
    await keys.find("1", "RS256")
    published.document = None
    clock.seconds += MAX_STALE_S - 1
    assert isinstance(await keys.find("1", "RS256"), tuple)
    assert await keys.find("2", "RS256") == "keys_unavailable"
    clock.seconds += 1
    assert await keys.find("1", "RS256") == "keys_unavailable"


async def test_a_fetch_that_raises_does_not_stay_under_way() -> None:
    published, calls = Published(jwk(RSA)), 0

    async def once_broken(url: str) -> bytes | None:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise RuntimeError("broken")
        return await published.fetch(url)

    clock = Clock()
    keys = KeySet(issuer().keys_url, once_broken, clock)
    with pytest.raises(RuntimeError, match="broken"):
        await keys.find("1", "RS256")
    clock.seconds += REFETCH_S
    assert isinstance(await keys.find("1", "RS256"), tuple)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [(RSA, "RS256"), (RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA"), (ED448, "EdDSA"), (P384, "ES384")],
)
async def test_keys_of_every_kind_are_read(key: Any, algorithm: str) -> None:
    assert isinstance(await key_set(Published(jwk(key))).find("1", algorithm), tuple)


@pytest.mark.parametrize(
    ("entry", "algorithm"),
    [
        (jwk(RSA, alg="RS512"), "RS256"),
        (jwk(RSA, use="enc"), "RS256"),
        (jwk(RSA, key_ops=["encrypt"]), "RS256"),
        (jwk(RSA, key_ops="verify"), "RS256"),
        (jwk(RSA, d="AQAB"), "RS256"),
        (jwk(RSA), "ES256"),
        (jwk(EC), "RS256"),
        (jwk(EC), "ES384"),
        (jwk(RSA, "2"), "RS256"),
        ({"kty": "oct", "kid": "1", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"}, "RS256"),
        ({"kty": "RSA", "kid": "1"}, "RS256"),
        ({"kty": "RSA", "kid": "1", "n": 7, "e": None}, "RS256"),
        (jwk(rsa.generate_private_key(public_exponent=65537, key_size=1024)), "RS256"),
    ],
)
async def test_a_key_that_does_not_fit_is_not_used(entry: dict[str, Any], algorithm: str) -> None:
    assert await key_set(Published(entry)).find("1", algorithm) == "key_unknown"


async def test_without_a_key_id_the_only_fitting_key_is_meant() -> None:
    assert isinstance(await key_set(Published(jwk(RSA), jwk(EC, "2"))).find(None, "RS256"), tuple)


async def test_without_a_key_id_every_fitting_key_is_meant() -> None:
    found = await key_set(Published(jwk(RSA), jwk(EC, "3"), jwk(RSA_2, "2"))).find(None, "RS256")
    assert isinstance(found, tuple)
    assert [key.key_id for key in found] == ["1", "2"]


async def test_keys_of_the_same_id_and_keys_without_an_id_may_be_meant() -> None:
    twice = key_set(Published(jwk(RSA), jwk(RSA_2)))
    assert len(await twice.find("1", "RS256")) == 2
    nameless = key_set(Published(jwk(RSA, None), {**jwk(RSA_2, None), "kid": None}, jwk(EC, "2")))
    assert len(await nameless.find("1", "RS256")) == 2
    assert len(await key_set(Published(jwk(RSA, None), jwk(RSA_2))).find("1", "RS256")) == 1


async def test_key_ids_that_callers_invent_take_no_memory() -> None:
    nameless = {name: value for name, value in jwk(RSA).items() if name != "kid"}
    keys = key_set(Published(nameless))
    found = {id(await keys.find(f"invented-{number}", "RS256")) for number in range(50)}
    assert len(found) == 1
    assert isinstance(await keys.find(None, "RS256"), tuple)


async def test_more_fitting_keys_than_are_tried_are_none() -> None:
    entries = [jwk(RSA, str(number)) for number in range(MAX_TRIED + 1)]
    assert len(await key_set(Published(*entries[1:])).find(None, "RS256")) == MAX_TRIED
    assert await key_set(Published(*entries)).find(None, "RS256") == "keys_ambiguous"
    assert len(await key_set(Published(*entries)).find("3", "RS256")) == 1


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (b"<!DOCTYPE html><html></html>", "it is an HTML or XML page, not a key set"),
        (b"", "it is not JSON"),
        (b'{"jwks_uri": "https://idp.example/keys"}', "it is JSON without a `keys` list"),
        (b'{"keys": {}}', "it is JSON without a `keys` list"),
        (b'{"keys": []}', "it contains no public key for signatures"),
        (b'{"keys": [{"kty": "oct", "kid": "1", "k": "AA"}]}', "it contains no public key for signatures"),
        (json.dumps({"keys": [jwk(RSA)] * 101}).encode(), "it has 101 keys; at most 100 are supported"),
    ],
)
async def test_a_document_without_a_usable_key_set_is_logged_with_its_url(
    document: bytes, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    published = Published()
    published.document = document
    assert await key_set(published).find("1", "RS256") in ("key_unknown", "keys_unavailable")
    ((url, error, remedy),) = [(each.url, each.error, each.remedy) for each in map(vars_of, caplog.records)]
    assert (url, error) == ("https://idp.example/keys", told)
    assert "`keys_url`" in remedy


def vars_of(record: logging.LogRecord) -> Any:
    return record


@given(st.binary() | st.sampled_from([b"[]", b"{}", b'{"keys":{}}', b'{"keys":[1,null]}', b"[" * 100_000]))
async def test_any_document_is_judged(document: bytes) -> None:
    published = Published()
    published.document = document
    assert await key_set(published).find("1", "RS256") in ("key_unknown", "keys_unavailable")


KEYS = st.dictionaries(
    st.sampled_from(["kty", "kid", "n", "e", "x", "y", "crv", "alg", "use"]),
    st.sampled_from(["RSA", "EC", "OKP", "oct", "1", "AQAB", "P-256", "Ed25519", "RS256", "sig", "!", ""])
    | st.integers()
    | st.none(),
)


@given(KEYS)
async def test_any_key_is_judged(key: dict[str, Any]) -> None:
    found = await key_set(Published({**key, "kid": "1"})).find("1", "RS256")
    assert found == "key_unknown" or isinstance(found, tuple)
