"""Resource URIs: one resource, one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.uris import abnormality, normal

NORMAL = [
    "test://static-text",
    "test://static-binary",
    "test://template/42/data",
    "test://watched-resource",
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
    "memo:insights",
    "ui://widget/index.html",
    "git+ssh://example.com/a",
]

ABNORMAL = [
    ("", "scheme"),
    ("docs/a.md", "scheme"),
    ("/etc/passwd", "scheme"),
    ("//host/a", "scheme"),
    ("://a", "scheme"),
    ("1a://b", "scheme"),
    ("File:///docs/a.md", "scheme"),
    ("TEST://static-text", "scheme"),
    ("file:///docs/../secret", "dot segment"),
    ("file:///docs/..", "dot segment"),
    ("file:///../docs", "dot segment"),
    ("file:///docs/./a", "dot segment"),
    ("file:///docs/.", "dot segment"),
    ("file:///docs/..;x/secret", "dot segment"),
    ("test:a/../b", "dot segment"),
    ("test:..", "dot segment"),
    ("file:///docs//a.md", "empty segment"),
    ("file:////docs/a.md", "empty segment"),
    ("file:///docs/a//", "empty segment"),
    ("file:///docs/%2e%2e/secret", "hexadecimal"),
    ("file:///docs/%2E%2E/secret", "needs no encoding"),
    ("file:///docs/%61.md", "needs no encoding"),
    ("file:///docs%2Fa.md", "encoded slash"),
    ("file:///docs%5Ca.md", "encoded slash"),
    ("file:///docs/%2f", "hexadecimal"),
    ("file:///docs/%252e%252e/secret", "twice"),
    ("file:///docs/%252Fsecret", "twice"),
    ("file:///docs/%", "hexadecimal"),
    ("file:///docs/%4", "hexadecimal"),
    ("file:///docs/%zz", "hexadecimal"),
    ("file:///docs/a%00.md", "control character"),
    ("file:///docs/a%0A.md", "control character"),
    ("file:///docs/a%7F.md", "control character"),
    ("file:///docs/%C0%AF", "not UTF-8"),
    ("file:///docs/%FF", "not UTF-8"),
    ("file:///docs/%EF%BC%8F", "take for"),
    ("file:///docs/%E2%80%A4%E2%80%A4", "take for"),
    ("file:///docs/u%CC%88.md", "normal form C"),
    ("file:///docs\\secret", "does not allow"),
    ("file:///docs/a b", "does not allow"),
    ("file:///docs/a\n", "does not allow"),
    ("file:///docs/a\x00", "does not allow"),
    ("file:///docs/ü.md", "does not allow"),
    ("https://exämple.com/", "does not allow"),
    ("file:///docs/a#b", "fragment"),
    ("file:///docs/a#", "fragment"),
    ("file:///docs/a?", "empty query"),
    ("file:///docs/a[1]", "bracket"),
    ("file:/etc/passwd", "authority"),
    ("file:etc", "authority"),
    ("file://localhost/etc/passwd", "localhost"),
    ("file://user@host/etc", "user"),
    ("https:a", "authority"),
    ("https://user@example.com/", "user"),
    ("https://user:secret@example.com/", "user"),
    ("postgres://user:secret@db.example/sales", "user"),
    ("https://a@b@example.com/", "user"),
    ("https://Example.com/", "host"),
    ("https://example.com./", "host"),
    ("https://ex%41mple.com/", "needs no encoding"),
    ("https://ex%C3%A4mple.com/", "host"),
    ("https://[2001:DB8::1]/", "host"),
    ("https:///a", "no host"),
    ("https://:443/a", "no host"),
    ("https://example.com:443/", "default port"),
    ("http://example.com:80/", "default port"),
    ("https://example.com:/", "port"),
    ("https://example.com:08443/", "port"),
    ("https://example.com:99999/", "port"),
    ("https://example.com", "empty path"),
    ("test://" + "a" * 9000, "longer"),
]


@pytest.mark.parametrize("uri", NORMAL)
def test_a_uri_in_normal_form_passes(uri: str) -> None:
    assert abnormality(uri) is None
    assert normal(uri)


@pytest.mark.parametrize(("uri", "reason"), ABNORMAL)
def test_a_uri_that_is_not_in_normal_form_is_refused_with_the_reason(uri: str, reason: str) -> None:
    found = abnormality(uri)
    assert found is not None
    assert reason in found.reason
    assert not normal(uri)


@given(st.text())
def test_any_text_is_judged_without_an_error(text: str) -> None:
    assert normal(text) is (abnormality(text) is None)


ALPHABET = st.sampled_from("aZ09-._~:/?#[]@!$&'()*+,;=%2eEfF5cC\\ \x00ü")


@given(st.text(ALPHABET, max_size=30))
def test_what_passes_holds_none_of_what_decoders_disagree_about(rest: str) -> None:
    uri = "file:///" + rest
    if normal(uri):
        path = uri.removeprefix("file:///").split("?")[0]
        assert not {"..", "."} & set(path.split("/"))
        assert "//" not in path
        assert not any(sign in uri for sign in ("\\", "#", " ", "%2E", "%2e", "%2f", "\x00", "ü"))
        assert "%2F" not in path
        assert "%5C" not in path
