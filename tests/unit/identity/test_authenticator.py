"""A request's headers become a Principal, with real keys and a real key server."""

import base64
import hashlib
import hmac
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.principal import ANONYMOUS, Principal, Verified
from gateway.identity import jwt_verifier, tokens
from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.authenticator import Authenticator
from gateway.identity.issuer import Issuer
from gateway.identity.issuer_keys import REFETCH_S
from gateway.identity.protected_resource import Resource
from tests.unit.identity.support import (
    EC,
    ED,
    NOW,
    ORIGIN,
    RSA,
    RSA_2,
    Clock,
    Published,
    claims,
    issuer,
    jwk,
    serving,
    token,
)


class Door:
    """An Identity, with what it asks."""

    def __init__(self, *issuers: Issuer, anonymous: bool = False, published: Published | None = None) -> None:
        self.published = published or Published(jwk(RSA))
        self.clock = Clock()
        chosen = issuers or (issuer(),)
        self.identity = Authenticator(
            Resource(ORIGIN, chosen), chosen, anonymous=anonymous, fetch=self.published.fetch, clock=self.clock
        )

    async def judged(self, text: str | None, *, server: str = "slack", now: float = NOW) -> Principal | Unauthenticated:
        headers = [] if text is None else [(b"authorization", f"Bearer {text}".encode())]
        found = await self.identity.verify(headers, server, now)
        return found.principal if isinstance(found, Verified) else found

    async def cause(self, text: str | None, **more: Any) -> str:
        found = await self.judged(text, **more)
        assert isinstance(found, Unauthenticated), found
        return found.cause


async def test_it_is_known_when_a_token_ends_also_when_it_is_presented_again() -> None:
    identity = Door().identity
    for _ in range(2):
        found = await identity.verify([(b"authorization", b"Bearer " + token(exp=NOW + 60).encode())], "slack", NOW)
        assert isinstance(found, Verified)
        assert found.until == NOW + 60


async def test_of_a_service_token_only_the_bundle_knows_when_it_ends() -> None:
    found = await Door().identity.verify(
        [(b"authorization", b"Bearer " + tokens.token(bytes(32)).encode())], "slack", NOW
    )
    assert isinstance(found, Verified)
    assert found.until is None


async def test_a_good_token_names_its_caller() -> None:
    found = await Door().judged(token())
    assert isinstance(found, Principal)
    assert (found.method, found.subject) == ("jwt", "alice")


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "PS256"), (EC, "ES256"), (ED, "EdDSA")])
async def test_other_algorithms_are_accepted_if_the_settings_name_them(key: Any, algorithm: Any) -> None:
    door = Door(issuer(algorithms=(algorithm,)), published=Published(jwk(key)))
    assert isinstance(await door.judged(token(key, algorithm)), Principal)


async def test_an_algorithm_that_the_settings_do_not_name_is_refused() -> None:
    assert await Door().cause(token(RSA, "RS512")) == "algorithm_refused"


async def test_a_token_without_a_signature_is_refused() -> None:
    unsigned = jwt.encode(claims(), "", algorithm="none", headers={"kid": "1"})
    assert await Door().cause(unsigned) == "algorithm_refused"


async def test_the_public_key_is_not_used_as_a_shared_secret() -> None:
    entry = jwk(RSA)
    pem = RSA.public_key().public_numbers().n.to_bytes(256, "big")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT","kid":"1"}').rstrip(b"=")
    body = base64.urlsafe_b64encode(json.dumps(claims()).encode()).rstrip(b"=")
    mac = base64.urlsafe_b64encode(hmac.new(pem, head + b"." + body, hashlib.sha256).digest()).rstrip(b"=")
    assert (
        await Door(published=Published(entry)).cause((head + b"." + body + b"." + mac).decode()) == "algorithm_refused"
    )


async def test_a_key_of_another_kind_than_the_algorithm_is_not_tried() -> None:
    assert await Door(published=Published(jwk(RSA))).cause(token(EC, "ES256")) == "key_unknown"


async def test_a_token_of_another_key_is_refused() -> None:
    assert await Door().cause(token(RSA_2)) == "signature_wrong"


async def test_a_tampered_token_is_refused() -> None:
    head, body, signature = token().split(".")
    changed = json.loads(base64.urlsafe_b64decode(body + "=="))
    changed["sub"] = "root"
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).rstrip(b"=").decode()
    assert await Door().cause(f"{head}.{forged}.{signature}") == "signature_wrong"


async def test_a_token_for_another_server_is_refused_even_after_its_own_server_accepted_it() -> None:
    door, text = Door(), token()
    assert isinstance(await door.judged(text), Principal)
    assert await door.cause(text, server="github") == "audience_wrong"


async def test_one_audience_for_all_servers_is_possible() -> None:
    door = Door(issuer(audience=ORIGIN))
    for server in ("slack", "github"):
        assert isinstance(await door.judged(token(aud=ORIGIN), server=server), Principal)


async def test_a_token_of_another_issuer_is_refused() -> None:
    assert await Door().cause(token(iss="https://elsewhere.example")) == "issuer_unknown"


@pytest.mark.parametrize("iss", [..., 7, ["https://idp.example"]])
async def test_a_token_without_a_readable_issuer_is_refused(iss: Any) -> None:
    payload = base64.urlsafe_b64encode(json.dumps({**claims(), "iss": None if iss is ... else iss}).encode())
    head = base64.urlsafe_b64encode(b'{"alg":"RS256","typ":"JWT"}').rstrip(b"=").decode()
    assert await Door().cause(f"{head}.{payload.rstrip(b'=').decode()}.AAAA") == "issuer_unknown"


async def test_an_ended_token_is_refused_even_if_it_was_accepted_before() -> None:
    door, text = Door(), token()
    assert isinstance(await door.judged(text), Principal)
    assert await door.cause(text, now=NOW + 10_000) == "token_expired"


@pytest.mark.parametrize("typ", ["dpop+jwt", "logout+jwt", "x"])
async def test_a_jwt_that_is_not_an_access_token_is_refused(typ: str) -> None:
    assert await Door().cause(token(typ=typ)) == "token_malformed"


async def test_a_critical_header_that_is_not_understood_refuses_the_token() -> None:
    text = jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "1", "crit": ["x"], "x": 1})
    assert await Door().cause(text) == "token_malformed"


async def test_a_token_is_verified_once() -> None:
    door, text = Door(), token()
    first = await door.judged(text)
    door.published.document = None
    assert await door.judged(text) is first


async def test_remembered_tokens_are_verified_again_after_a_while() -> None:
    door, text = Door(), token(exp=NOW + 10_000)
    first = await door.judged(text)
    again = await door.judged(text, now=NOW + jwt_verifier.REMEMBER_S)
    assert again == first
    assert again is not first


async def test_memory_of_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jwt_verifier, "MAX_REMEMBERED", 2)
    door = Door()
    texts = [token(jti=str(index)) for index in range(4)]
    for text in texts:
        await door.judged(text)
    assert len(door.identity._jwts._remembered) == 2


async def test_keys_that_cannot_be_fetched_are_503() -> None:
    door = Door()
    door.published.document = None
    found = await door.judged(token())
    assert isinstance(found, Unauthenticated)
    assert (found.cause, found.status) == ("keys_unavailable", 503)


async def test_a_caller_without_a_credential_is_refused() -> None:
    assert await Door().cause(None) == "token_missing"


async def test_anonymous_callers_are_accepted_if_the_settings_allow_them() -> None:
    assert await Door(anonymous=True).judged(None) == ANONYMOUS


async def test_a_bad_credential_is_refused_even_if_none_is_required() -> None:
    assert await Door(anonymous=True).cause("nonsense") == "token_malformed"


async def test_a_service_token_is_known_by_its_digest_only() -> None:
    text = tokens.token(bytes(32))
    found = await Door().judged(text)
    assert found == Principal(kind="service", method="token", credential_sha256=tokens.digest(text))


async def test_a_mistyped_service_token_is_turned_away_before_policy_is_asked() -> None:
    assert await Door().cause(tokens.token(bytes(32))[:-1] + "A") == "token_malformed"


async def test_without_issuers_no_jwt_is_accepted() -> None:
    identity = Authenticator(Resource(ORIGIN, ()), (), anonymous=False)
    found = await identity.verify([(b"authorization", b"Bearer " + token().encode())], "slack", NOW)
    assert isinstance(found, Unauthenticated)
    assert found.cause == "issuer_unknown"
    await identity.close()


async def test_keys_come_over_http_and_rotate() -> None:
    published = Published(jwk(RSA))
    with serving(published):
        chosen, clock = issuer(published.url), Clock()
        identity = Authenticator(Resource(ORIGIN, (chosen,)), (chosen,), anonymous=False, clock=clock)

        async def judged(text: str) -> Verified | Unauthenticated:
            return await identity.verify([(b"authorization", b"Bearer " + text.encode())], "slack", NOW)

        assert isinstance(await judged(token()), Verified)
        published.publish(jwk(RSA_2, "2"))
        clock.seconds += REFETCH_S
        assert isinstance(await judged(token(RSA_2, kid="2")), Verified)
        refused = await judged(token(jti="new"))
        assert isinstance(refused, Unauthenticated)
        assert refused.cause == "key_unknown"
        assert published.asked == 2
        await identity.close()


@pytest.mark.parametrize("fault", ["error", "moved", "huge", "gone", "garbage"])
async def test_a_key_server_that_misbehaves_makes_keys_unavailable(fault: str) -> None:
    published = Published(jwk(RSA))
    with serving(published):
        url = published.url.replace("/keys", "/moved") if fault == "moved" else published.url
        url = "http://127.0.0.1:9/keys" if fault == "gone" else url
        good = published.document or b""
        bad = {"error": None, "huge": good + b" " * (2 << 20), "garbage": b"<html>"}
        published.document = bad.get(fault, good)
        chosen = issuer(url)
        identity = Authenticator(Resource(ORIGIN, (chosen,)), (chosen,), anonymous=False)
        found = await identity.verify([(b"authorization", b"Bearer " + token().encode())], "slack", NOW)
        assert isinstance(found, Unauthenticated)
        assert found.cause == "keys_unavailable"
        await identity.close()


JUNK = st.text(st.sampled_from("eyJhbGciOiJ9.-_=AQ"), max_size=60) | st.binary(max_size=40).map(
    lambda raw: base64.urlsafe_b64encode(raw).decode() + ".e30.AA"
)


@given(JUNK)
async def test_any_text_is_judged(text: str) -> None:
    found = await Door().judged(text)
    assert isinstance(found, Unauthenticated)
    assert len(text) < 10 or text not in found.reason


DEEP = base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")


@pytest.mark.parametrize("text", [f"{DEEP}.e30.AA", f"eyJhbGciOiJSUzI1NiJ9.{DEEP}.AA", "..", "a.b", "mcpa_"])
async def test_hostile_texts_are_malformed(text: str) -> None:
    assert await Door().cause(text) == "token_malformed"
