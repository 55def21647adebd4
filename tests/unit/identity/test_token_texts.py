"""A refused token is reported with its value and the expected value, to its caller and in the log."""

import logging
import ssl
from pathlib import Path
from typing import Any

import pytest

from gateway.admission.principal import Principal, Verified
from gateway.identity.auth_errors import Unauthenticated
from gateway.identity.authenticator import Authenticator
from gateway.identity.issuer import Issuer
from gateway.identity.issuer_keys import REFETCH_S
from gateway.identity.jwks_fetch import HttpFetch
from gateway.identity.protected_resource import Resource
from gateway.identity.token_warnings import CAPACITY, EVERY_S, TokenWarnings, shown
from tests.certificates import pair
from tests.unit.identity.support import (
    EC,
    NAME,
    NOW,
    ORIGIN,
    RESOURCE,
    RSA,
    RSA_2,
    Clock,
    Published,
    issuer,
    jwk,
    serving,
    token,
)


class Door:
    """An identity whose issuer publishes these keys."""

    def __init__(self, *keys: dict[str, Any], **settings: Any) -> None:
        self.published, self.clock = Published(*(keys or (jwk(RSA),))), Clock()
        chosen = [issuer(**settings)]
        self.identity = Authenticator(
            Resource(ORIGIN, chosen), chosen, anonymous=False, fetch=self.published.fetch, clock=self.clock
        )

    async def found(self, text: str, now: float = NOW) -> Principal | Unauthenticated:
        found = await self.identity.verify([(b"authorization", f"Bearer {text}".encode())], "slack", now)
        return found.principal if isinstance(found, Verified) else found

    async def said(self, text: str, now: float = NOW) -> str:
        found = await self.found(text, now)
        assert isinstance(found, Unauthenticated), found
        return found.reason


def logged(caplog: pytest.LogCaptureFixture, message: str) -> list[dict[str, Any]]:
    return [vars(record) for record in caplog.records if record.getMessage() == message]


async def test_a_token_without_a_key_id_is_verified_by_any_key_that_fits() -> None:
    door = Door(jwk(RSA_2, "1"), jwk(EC, "2"), jwk(RSA, "3"))
    assert isinstance(await door.found(token(kid=None)), Principal)
    assert isinstance(await door.found(token(EC, "ES256", kid=None)), Principal)
    other = Door(jwk(RSA_2, "1"), jwk(EC, "2"))
    assert await other.said(token(kid=None)) == "The token's signature is invalid."


async def test_a_rotated_key_without_an_id_is_fetched_before_the_token_is_refused() -> None:
    door = Door(jwk(RSA_2, None))
    assert isinstance(await door.found(token(RSA_2, kid=None)), Principal)
    door.published.publish(jwk(RSA, None))
    assert await door.said(token(kid=None)) == "The token's signature is invalid.", "it was fetched just now"
    door.clock.seconds += REFETCH_S
    assert isinstance(await door.found(token(kid=None)), Principal)
    assert door.published.asked == 2


async def test_wrong_signatures_by_a_named_key_fetch_nothing() -> None:
    door = Door()
    for _ in range(3):
        door.clock.seconds += REFETCH_S
        assert await door.said(token(RSA_2)) == "The token's signature is invalid."
    assert door.published.asked == 1


async def test_too_many_keys_for_a_token_without_a_key_id_are_reported() -> None:
    door = Door(*(jwk(RSA, str(number)) for number in range(9)))
    said = await door.said(token(kid=None))
    assert said == (
        "The signing key of the token is ambiguous (`kid`): more than 8 keys of its issuer match RS256. "
        "Configure the issuer to set key ids."
    )
    assert isinstance(await door.found(token(kid="3")), Principal)


async def test_a_key_that_is_not_published_is_named() -> None:
    assert await Door().said(token(kid="x")) == "The issuer publishes no key with id `x` (`kid`) that matches RS256."
    told = "The token has no key id (`kid`), and no published key of its issuer matches RS256."
    assert await Door(jwk(EC)).said(token(kid=None)) == told


@pytest.mark.parametrize(
    ("configured", "told", "differs"),
    [
        (NAME, f"{NAME}/", "by a trailing slash"),
        (f"{NAME}/", NAME, "by a trailing slash"),
        (f"{NAME}/tenant/", f"{NAME}/tenant", "by a trailing slash"),
        (NAME, "http://idp.example", "in scheme, case or port"),
        (NAME, "https://IdP.example", "in scheme, case or port"),
        (NAME, "https://idp.example:443/", "in scheme, case or port"),
        (NAME, "idp.example", "in scheme, case or port"),
    ],
)
async def test_an_issuer_that_resembles_the_configured_one_is_refused_and_both_are_named(
    configured: str, told: str, differs: str, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = [Issuer(issuer=configured, keys_url=f"{NAME}/keys")]
    identity = Authenticator(
        Resource(ORIGIN, chosen), chosen, anonymous=False, fetch=Published(jwk(RSA)).fetch, clock=Clock()
    )
    found = await identity.verify([(b"authorization", f"Bearer {token(iss=told)}".encode())], "slack", NOW)
    assert isinstance(found, Unauthenticated)
    assert found.cause == "issuer_unknown"
    assert f"`{told}`" in found.reason
    assert f"configured `{configured}` {differs}" in found.reason
    (line,) = logged(caplog, "token is refused")
    assert line["reason"] == found.reason


async def test_an_unknown_issuer_is_named_without_any_configured_one() -> None:
    said = await Door().said(token(iss="https://elsewhere.example"))
    assert said == "The token's issuer `https://elsewhere.example` (`iss`) is not accepted by this gateway."
    assert await Door().said(token(iss=...)) == "The token has no issuer (`iss`)."


@pytest.mark.parametrize(
    ("aud", "told"),
    [
        (f"{RESOURCE}/", f"`{RESOURCE}/`"),
        (["a", "b"], "`a`, `b`"),
        (list("abcde"), "`a`, `b`, `c` and 2 more"),
        ([], "nothing"),
    ],
)
async def test_both_audiences_are_named(aud: Any, told: str) -> None:
    assert await Door().said(token(aud=aud)) == f"The token is for {told} (`aud`), not for `{RESOURCE}`."


async def test_algorithm_and_type_are_named_with_those_that_are_accepted() -> None:
    said = await Door().said(token(RSA, "RS512"))
    assert said == "The token is signed with `RS512` (`alg`); the gateway accepts RS256, ES256 of this issuer."
    told = "The token has the type `id+jwt` (`typ`); an access token has `at+jwt` or `JWT`."
    assert await Door().said(token(typ="id+jwt")) == told


async def test_a_clock_difference_is_reported_in_seconds() -> None:
    assert "expired 45 seconds ago by the gateway's clock" in await Door().said(token(exp=NOW - 45))
    said = await Door().said(token(nbf=NOW + 90))
    assert "its `nbf` is 90 seconds ahead of the gateway's clock; at most 30 are accepted" in said


async def test_claims_that_cannot_be_read_are_logged_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    for number in range(3):
        assert isinstance(await door.found(token(jti=str(number), scope="x")), Principal)
    (line,) = logged(caplog, "claim cannot be read")
    assert (line["issuer"], line["unknown"], line["reason"]) == (NAME, "groups", "the claim `groups` is absent")
    assert isinstance(await door.found(token(scope="x", groups={"a": 1})), Principal)
    door.clock.seconds += EVERY_S
    assert isinstance(await door.found(token(scope="x", groups={"b": 1})), Principal)
    assert logged(caplog, "claim cannot be read")[1]["reason"] == "the claim `groups` is not a list of texts"


def test_notices_are_bounded_and_repeated_after_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    notices = TokenWarnings(clock)
    for number in range(CAPACITY + 1):
        notices.warn("m", str(number))
    notices.warn("m", str(CAPACITY))
    assert len(caplog.records) == CAPACITY + 1
    notices.warn("m", "0")
    assert len(caplog.records) == CAPACITY + 2, "it was forgotten"


@pytest.mark.parametrize(("value", "told"), [("a`b\n\u00e9", "a?b??"), (7, "7"), ("x" * 300, "x" * 200 + "...")])
def test_a_token_value_is_shown_printable_and_short(value: object, told: str) -> None:
    assert shown(value) == told


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    path = pair(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context, path


async def test_a_private_authority_is_trusted_for_the_issuer_that_names_it(
    certified: tuple[ssl.SSLContext, Path], caplog: pytest.LogCaptureFixture
) -> None:
    context, path = certified
    published = Published(jwk(RSA))
    with serving(published, context):
        trusting = HttpFetch([issuer(published.url, ca_file=path)])
        assert await trusting(published.url) == published.document
        assert await trusting(f"{published.url}?other") is None, "it is for the key set of that issuer only"
        plain = HttpFetch([issuer(published.url)])
        caplog.clear()
        assert await plain(published.url) is None
        for fetch in (trusting, plain):
            await fetch.close()
    (line,) = logged(
        caplog, "the key set of an issuer cannot be fetched: its tokens will be refused when the known keys are too old"
    )
    assert line["url"] == published.url
    assert "CERTIFICATE_VERIFY_FAILED" in line["error"]
    assert "`ca_file`" in line["remedy"]


async def test_a_key_set_that_is_elsewhere_is_logged_with_its_status(caplog: pytest.LogCaptureFixture) -> None:
    published = Published()
    published.document = None
    with serving(published):
        fetch = HttpFetch()
        assert await fetch(published.url) is None
        await fetch.close()
    (line,) = logged(
        caplog, "the key set of an issuer cannot be fetched: its tokens will be refused when the known keys are too old"
    )
    assert (line["url"], line["error"]) == (published.url, "it returned HTTP 500")
    assert line["levelno"] == logging.WARNING
