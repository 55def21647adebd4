"""An authenticated caller has its own limiter key; other callers share the key of their address."""

import pytest
from msgspec.structs import replace

from gateway.admission.policy_input import PolicyInput
from gateway.admission.principal import ANONYMOUS, Principal
from gateway.opa.limiter_keys import LimiterKeys
from tests.fakes import allow, deny
from tests.unit.opa.support import question


def asked(principal: Principal = ANONYMOUS, source_ip: str = "192.0.2.1") -> PolicyInput:
    stated = question()
    return replace(stated, principal=principal, context=replace(stated.context, source_ip=source_ip))


def service(digest: str) -> Principal:
    return Principal(kind="service", method="token", credential_sha256=digest * 32)


def user(subject: str) -> Principal:
    return Principal(kind="user", method="jwt", issuer="https://issuer.example", subject=subject)


def test_callers_without_a_credential_count_by_address() -> None:
    callers = LimiterKeys()
    assert callers.key(asked()) == callers.key(asked())
    assert callers.key(asked()) != callers.key(asked(source_ip="192.0.2.2"))


def test_verified_users_count_alone_wherever_they_come_from() -> None:
    callers = LimiterKeys()
    assert callers.key(asked(user("a"))) == callers.key(asked(user("a"), "192.0.2.2"))
    assert len({callers.key(asked(user("a"))), callers.key(asked(user("b"))), callers.key(asked())}) == 3


def test_unknown_tokens_of_one_address_are_one_caller() -> None:
    callers = LimiterKeys()
    made_up = [asked(service(digest)) for digest in ("aa", "bb", "cc")]
    for one in made_up:
        callers.decided(one, deny("principal_is_verified"))
    assert {callers.key(one) for one in made_up} == {callers.key(asked())}


def test_a_token_that_policy_knows_counts_alone() -> None:
    callers = LimiterKeys()
    for digest in ("aa", "bb"):
        callers.decided(asked(service(digest)), allow())
    known = {callers.key(asked(service(digest))) for digest in ("aa", "bb")}
    assert len(known | {callers.key(asked())}) == 3
    assert callers.key(asked(service("aa"), "192.0.2.2")) in known


def test_the_tokens_that_were_not_used_for_longest_are_forgotten_first() -> None:
    callers = LimiterKeys(remembered=2)
    for digest in ("aa", "bb", "aa", "cc"):
        callers.decided(asked(service(digest)), allow())
    alone = {digest for digest in ("aa", "bb", "cc") if callers.key(asked(service(digest))) != "192.0.2.1"}
    assert alone == {"aa", "cc"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "192.0.2.1", False),
        ("no address", "no address", True),
    ],
)
def test_a_site_is_one_source_and_an_address_in_other_clothes_the_same(one: str, other: str, *, same: bool) -> None:
    callers = LimiterKeys()
    assert (callers.key(asked(source_ip=one)) == callers.key(asked(source_ip=other))) is same
