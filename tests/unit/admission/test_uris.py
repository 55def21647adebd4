"""All spellings of one resource URI have one normal form."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.policy_input import Target
from gateway.admission.uri_patterns import normal_key, normal_pattern
from gateway.admission.uris import Abnormal, NormalUri, abnormality, normalize, with_normal_uri

NORMAL = [
    "test://static-text",
    "test://template/42/data",
    "greeting://World",
    "jira://PROJ",
    "s3://My-Bucket/k",
    "screen://localhost:0/",
    "ui://widget/App.html",
    "note://a@b:c",
    "file:///docs/a.md",
    "file:///docs/",
    "file:///C:/docs/a.md",
    "file:///docs/with%20space.md",
    "file:///docs/%C3%BC.md",
    "file:///docs/.hidden",
    "file:///docs/...",
    "file:///docs/a..b",
    "file:///docs/100%25.md",
    "https://example.com/",
    "https://example.com:8443/a?b=c&d=%2Fe",
    "https://[2001:db8::1]:8080/a",
    "postgres://reader@db.example:5432/sales/orders/schema",
    "urn:isbn:0451450523",
    "about:blank",
    "data:text/plain;base64,AA//+=",
    "memo:insights",
    "git+ssh://example.com/a",
]

SPELLINGS = [
    ("mem://a b", "mem://a%20b"),
    ("note://\u00fcn\u00efcode", "note://%C3%BCn%C3%AFcode"),
    ("note://%c3%bcn", "note://%C3%BCn"),
    ("file:///docs/a[1].md", "file:///docs/a%5B1%5D.md"),
    ('x://a"b<c>', "x://a%22b%3Cc%3E"),
    ("a://{b}", "a://%7Bb%7D"),
    ("https://Example.com/A", "https://example.com/A"),
    ("https://example.com", "https://example.com/"),
    ("https://example.com:443/", "https://example.com/"),
    ("https://[2001:DB8::1]/", "https://[2001:db8::1]/"),
    ("smb://SERVER/share", "smb://server/share"),
]

DOUBTFUL = [
    ("config", "config", "no scheme"),
    ("/abs/path", "/abs/path", "no scheme"),
    ("FILE:///a", "file:///a", "upper-case"),
    ("docs://page#section", "docs://page#section", "fragment"),
    ("custom:/x//y", "custom:/x/y", "empty segment"),
    ("file:////docs/a.md", "file:///docs/a.md", "empty segment"),
    ("file:///docs/a?", "file:///docs/a", "empty query"),
    ("file:///docs%2Fa.md", "file:///docs/a.md", "encoded slash"),
    ("file:///docs%5ca.md", "file:///docs/a.md", "encoded slash"),
    ("repo://owner%2Fname", "repo://owner/name", "encoded slash"),
    ("file:///docs\\a.md", "file:///docs/a.md", "backslash"),
    ("file://C:\\docs\\a.md", "file:///C:/docs/a.md", "backslash"),
    ("file://c:/docs", "file:///c:/docs", "drive"),
    ("file:/etc/passwd", "file:///etc/passwd", "authority"),
    ("file:etc", "file:///etc", "authority"),
    ("https:a", "https:a", "authority"),
    ("file://localhost/etc", "file:///etc", "localhost"),
    ("file://host/share/a", "file://host/share/a", "host"),
    ("file:///docs/a.md?x=1", "file:///docs/a.md?x=1", "query"),
    ("file://LOCALHOST/etc", "file:///etc", "localhost"),
    ("file:///docs/%61.md", "file:///docs/a.md", "needs no encoding"),
    ("https://ex%41mple.com/", "https://example.com/", "needs no encoding"),
    ("file:///docs/100%", "file:///docs/100%25", "hexadecimal"),
    ("file:///docs/%252Fsecret", "file:///docs/%252Fsecret", "twice"),
    ("file:///docs/%FF", "file:///docs/%FF", "not UTF-8"),
    ("file:///docs/%C0%AF", "file:///docs/%C0%AF", "not UTF-8"),
    ("file:///docs/%EF%BC%8Fa", "file:///docs/%EF%BC%8Fa", "take for"),
    ("file:///docs/u%CC%88.md", "file:///docs/%C3%BC.md", "normal form C"),
    ("https://ex\u00e4mple.com/", "https://ex%C3%A4mple.com/", "host"),
    ("https://example.com./", "https://example.com/", "host"),
    ("https:///a", "https:///a", "host"),
    ("https://example.com:99999/", "https://example.com:99999/", "port"),
    ("https://user@example.com/", "https://user@example.com/", "user"),
    ("postgres://user:secret@db.example/sales", "postgres://user:secret@db.example/sales", "password"),
]

ABNORMAL = [
    ("", "empty"),
    ("?", "no path"),
    ("test://" + "a" * 9000, "longer"),
    ("test://" + "\ufdfa" * 1000, "percent-encoded"),
    ("test://" + "\u00e9" * 1400, "percent-encoded"),
    (" file:///a", "space"),
    ("file:///a\u00a0", "space"),
    ("file:///a\nb", "control"),
    ("file:///a\x00", "control"),
    ("file:///a\u0085b", "control"),
    ("file:///a\ud800", "Unicode"),
    ("file:///docs/a%00.md", "control"),
    ("file:///docs/a%0a.md", "control"),
    ("file:///docs/a%7F.md", "control"),
    ("file:///docs/a%C2%85.md", "control"),
    ("file:///docs/../secret", "dot segment"),
    ("file:///docs/..", "dot segment"),
    ("file:///docs/./a", "dot segment"),
    ("file:///docs/..;x/secret", "dot segment"),
    ("file:///docs/%2e%2E/secret", "dot segment"),
    ("file:///docs/%252e%252e/secret", "dot segment"),
    ("file:///docs/..%2fsecret", "dot segment"),
    ("file:///docs/..%252fsecret", "dot segment"),
    ("file:///docs/..\\secret", "dot segment"),
    ("file:///docs/..%5Csecret", "dot segment"),
    ("file:///docs/%E2%80%A4%E2%80%A4/a", "dot segment"),
    ("file:///docs/\uff0e\uff0e\uff0fa", "dot segment"),
    ("test:a/../b", "dot segment"),
    ("greeting://..", "dot segment"),
    ("../a", "dot segment"),
]


@pytest.mark.parametrize("uri", NORMAL)
def test_a_uri_in_normal_form_stays_as_it_is(uri: str) -> None:
    assert normalize(uri) == NormalUri(uri)


@pytest.mark.parametrize(("uri", "normal"), SPELLINGS)
def test_another_spelling_of_the_same_resource_has_its_normal_form(uri: str, normal: str) -> None:
    assert normalize(uri) == NormalUri(normal)
    assert normalize(normal) == NormalUri(normal)


@pytest.mark.parametrize(("uri", "normal", "doubt"), DOUBTFUL)
def test_a_uri_that_readers_understand_differently_is_doubtful(uri: str, normal: str, doubt: str) -> None:
    found = normalize(uri)
    assert isinstance(found, NormalUri)
    assert found.text == normal
    assert doubt in found.doubt


@pytest.mark.parametrize(("uri", "reason"), ABNORMAL)
def test_a_uri_that_may_lead_elsewhere_is_refused_with_the_reason(uri: str, reason: str) -> None:
    found = abnormality(uri)
    assert found is not None
    assert reason in found.reason


@given(st.text())
def test_any_text_is_judged_without_an_error(text: str) -> None:
    found = normalize(text)
    assert isinstance(found, NormalUri) is (abnormality(text) is None)


PIECES = st.sampled_from(
    [
        *"aZ09-._~:/?#[]@!$&'()*+,;=%\\ {}\u00fc",
        "%2e",
        "%2F",
        "%5c",
        "%25",
        "%61",
        "..",
        "//",
        "secret",
        "%C3%BC",
        "%EF%BC%8F",
    ]
)
SCHEMES = st.sampled_from(["file:///", "FILE:///", "file:", "file://localhost/", "https://Ex.com/", "x://", "x:/", ""])


@given(SCHEMES, st.lists(PIECES, max_size=8))
def test_a_normal_form_is_its_own_normal_form(scheme: str, pieces: list[str]) -> None:
    found = normalize(scheme + "".join(pieces))
    if isinstance(found, NormalUri):
        again = normalize(found.text)
        assert isinstance(again, NormalUri)
        assert again.text == found.text
        assert re.fullmatch(r"[\x21-\x7e]*", found.text)


@given(st.lists(PIECES, max_size=8))
def test_no_accepted_spelling_gets_around_a_rule_on_a_directory(pieces: list[str]) -> None:
    """Decode a path like a lenient reader: a rule must see every path that it finds below `/secret/`."""
    for scheme in ("file:///", "FILE:///", "file:", "file://localhost/", "file://", "file:/"):
        uri = f"{scheme}secret/{''.join(pieces)}"
        found = normalize(uri)
        if isinstance(found, NormalUri) and scheme != "file://":
            assert found.text.startswith("file:///secret")
        for sign in ("/", "%2F", "\\", "//", "%5C"):
            hidden = normalize(f"{scheme}a{sign}..{sign}secret/x")
            assert isinstance(hidden, Abnormal)


@pytest.mark.parametrize(
    ("pattern", "normal"),
    [
        ("*", "*"),
        ("file:///secret/*", "file:///secret/*"),
        ("mem://a b", "mem://a%20b"),
        ("note://\u00fc*", "note://%C3%BC*"),
        ("Https://Example.com/*", "https://example.com/*"),
        ("https://*.Example.com/x", "https://*.example.com/x"),
        ("greeting://World*", "greeting://World*"),
        ("docs://page#*", "docs://page#*"),
        ("*secret*", "*secret*"),
        ("note://%c3%bc?", "note://%C3%BC?"),
    ],
)
def test_a_glob_is_written_as_it_matches_normal_forms(pattern: str, normal: str) -> None:
    assert normal_pattern(pattern) == normal


@pytest.mark.parametrize(
    ("key", "normal"),
    [
        ("mem://a b", "mem://a%20b"),
        ("mem://a b*", "mem://a%20b*"),
        ("file:///docs/*", "file:///docs/*"),
        ("file://C:\\docs\\*", "file:///C:/docs/*"),
        ("HTTPS://Example.com/*", "https://example.com/*"),
        ("config", "config"),
        ("x://../*", "x://../*"),
    ],
)
def test_a_key_of_the_catalog_is_the_normal_form_of_what_the_server_lists(key: str, normal: str) -> None:
    assert normal_key(key) == normal


def test_a_target_keeps_what_was_written_beside_its_normal_form() -> None:
    made = with_normal_uri(Target(type="resource", uri="mem://a b"))
    assert (made.uri, made.written) == ("mem://a%20b", "mem://a b")
    assert with_normal_uri(made) == made
    for same in (Target(type="resource", uri="mem://a"), Target(type="tool", name="a"), Target(uri="x://..")):
        assert with_normal_uri(same) is same
