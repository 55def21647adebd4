"""Secrets inside texts are masked, and no text is expensive to search.

The long texts here took minutes when a pattern read a run of letters again from each of its letters.
"""

import pytest
from msgspec.structs import replace

from gateway.admission.policy_input import Gateway, PolicyInput
from gateway.admission.record_masking import Masking, masked
from gateway.admission.secret_texts import MASKED, Scrubber, hinted, masked_text
from gateway.opa.readiness_probe import canary

LONG = 60_000
MASKING = Masking(level="full", key=b"k" * 32)


def shown(text: str) -> str:
    return masked_text(text, []) if hinted(text) else text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("password=hunter2", f"password={MASKED}"),
        ('{"api-key": "abc"}', f'{{"api-key": "{MASKED}"}}'),
        ("my.private key : x", f"my.private key : {MASKED}"),
        ("pass=x bypass=x", f"pass={MASKED} bypass=x"),
        ("sig=x design=x", f"sig={MASKED} design=x"),
        ("url=http://x?token=abc&y=1", f"url=http://x?token={MASKED}&y=1"),
        ("token=api key_password=zzz", f"token={MASKED} key_password={MASKED}"),
        ("password = Bearer abc", f"password = {MASKED}"),
        ("x-eyJhbGciOi.eyJzdWIi.sig", f"x-{MASKED}"),
        ("bearer eyJhbGciOi.eyJzdWIi.sig", MASKED),
        ("a=b", "a=b"),
        ("password of eyJhbGciOi", "password of eyJhbGciOi"),
    ],
)
def test_a_secret_in_a_text_is_masked_and_the_rest_is_kept(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * LONG + "=pass", None),
        ("a" * LONG + "password=x", "a" * LONG + f"password={MASKED}"),
        ("password" * (LONG // 8) + ":", None),
        ("eyJaaaaaa-" * (LONG // 10) + ".", None),
        ("eyJaa-" * (LONG // 6) + ".x", MASKED),
        ("pass " * (LONG // 5) + "=", None),
        ("api " * (LONG // 4) + "key=x", "api " * (LONG // 4) + f"key={MASKED}"),
        ("basic " * (LONG // 6) + "=", None),
        ("-----BEGIN A" * (LONG // 12), None),
        ("pass" + " " * LONG + "=", None),
        ("://a:" * (LONG // 5), None),
    ],
)
def test_a_long_text_is_searched_once(text: str, expected: str | None) -> None:
    assert shown(text) == (text if expected is None else expected)


def test_a_known_secret_is_masked_in_another_text_and_a_short_one_is_not() -> None:
    scrubber = Scrubber(["hunter2", "abc"])

    assert scrubber.hide("abc hunter2 abc") == f"abc {MASKED} abc"
    assert "abc" in scrubber


def test_many_secrets_are_found_by_their_lengths() -> None:
    scrubber = Scrubber((f"{number:06}" for number in range(100_000)), budget=10_000)

    assert scrubber.hide("order 004711 of Bob") == f"order {MASKED} of Bob"


def test_a_text_over_the_budget_is_masked_whole() -> None:
    scrubber = Scrubber((f"{'s' * (number % 300)}{number:06}" for number in range(20_000)), budget=10_000)

    assert scrubber.hide("an innocent text of some length") == MASKED


def question(arguments: dict[str, object]) -> PolicyInput:
    return replace(canary(1, Gateway(id="g", version="1")), arguments=arguments)


def test_a_message_of_many_secrets_and_many_texts_is_masked_within_a_budget() -> None:
    secrets, texts = [f"s{number:04}" for number in range(3_500)], [f"t{number:04}" for number in range(3_500)]

    recorded = masked(question({"token": secrets, "x": texts}), MASKING).input

    assert recorded is not None
    assert recorded.arguments["token"] == MASKED
    assert set(recorded.arguments["x"]) <= {*texts, MASKED}
