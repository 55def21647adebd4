"""The domain of a mail address is not fooled by known ways to redirect mail to another domain."""

# ruff: noqa: RUF001 - characters that look like others are what is tested

import pytest

from gateway.admission.mail_domains import mail_domain

DOMAINS = {
    "alice@example.com": "example.com",
    "Alice.Smith@EXAMPLE.com": "example.com",
    "alice+tag@sub.example.com": "sub.example.com",
    "o'neil@example.com": "example.com",
    "a_b-c@example.com": "example.com",
    "postmaster@localhost": "localhost",
    "alice@bücher.example": "xn--bcher-kva.example",
    "alice@xn--bcher-kva.example": "xn--bcher-kva.example",
    "a" * 64 + "@example.com": "example.com",
}

NONE = (
    *("", "@", "alice", "alice@", "@example.com", "example.com", "alice@.example.com", "alice@example..com"),
    *("alice@example.com.", "alice@-example.com", "alice@example-.com", "alice@exa_mple.com", "alice@example.com/x"),
    # Several addresses, or one and something else.
    *(
        "alice@example.com,bob@rival.example",
        "alice@example.com, bob@rival.example",
        "alice@example.com;bob@rival.example",
    ),
    *("alice@example.com bob@rival.example", "alice@rival.example@example.com", "alice@@example.com"),
    *("team: alice@example.com;", "alice@example.com\tbob@rival.example", "alice@example.com|bob@rival.example"),
    *("Alice <alice@example.com>", "<alice@example.com>", '"Alice" <alice@example.com>', "alice@example.com (Alice)"),
    *("alice(comment)@example.com", "alice@(comment)example.com", "alice@example.com <bob@rival.example>"),
    *("bob@rival.example <alice@example.com>", "mailto:alice@example.com", "alice@example.com?bcc=bob@rival.example"),
    *(
        '"alice"@example.com',
        '"a@rival.example"@example.com',
        '"alice bob"@example.com',
        "alice\\@rival.example@example.com",
    ),
    # Headers.
    *("alice@example.com\r\nBcc: bob@rival.example", "alice@example.com\nBcc:bob@rival.example", "alice@example.com\r"),
    *(
        "alice@example.com%0aBcc:bob@rival.example",
        "alice@example.com\x00",
        "\nalice@example.com",
        "alice\n@example.com",
    ),
    # Spaces.
    *(" alice@example.com", "alice@example.com ", "alice @example.com", "alice@ example.com", "alice@exam ple.com"),
    *("alice@example.com\u00a0", "alice@\u200bexample.com", "alice@example.com\u2028"),
    # Local parts that lead elsewhere.
    *("bob%rival.example@example.com", "rival.example!bob@example.com", "@rival.example:bob@example.com"),
    *("=?utf-8?q?bob=40rival.example=3e?=@example.com", "|/bin/sh@example.com", "`id`@example.com"),
    *(
        ".alice@example.com",
        "alice.@example.com",
        "al..ice@example.com",
        "alicé@example.com",
        "a" * 65 + "@example.com",
    ),
    # Addresses instead of names, and names that readers take differently.
    *("alice@[127.0.0.1]", "alice@127.0.0.1", "alice@[IPv6:::1]", "alice@2130706433", "alice@0x7f.1"),
    *("alice@straße.example", "alice@ｅxample.com", "alice@example。com", "alice＠example.com", "alice@BÜCHER.example"),
    *("alice@xn--a.example", "alice@bu\u0308cher.example", "alice@example.com:25", "alice@exam%70le.com"),
    "a@" + "b" * 64 + ".com",
    "a@" + "b." * 160 + "com",
)


@pytest.mark.parametrize(("address", "domain"), DOMAINS.items())
def test_the_domain_of_one_plain_address_is_its_domain(address: str, domain: str) -> None:
    assert mail_domain(address) == domain


@pytest.mark.parametrize("text", NONE)
def test_a_text_that_is_not_one_plain_address_has_no_domain(text: str) -> None:
    assert mail_domain(text) is None
