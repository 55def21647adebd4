"""Facts about generated strings, compared with other parsers: where they find another host, there is no fact."""

# ruff: noqa: RUF001 - characters that look like others are what is tested

import posixpath
import unicodedata
from email.headerregistry import Address
from urllib.parse import urlsplit

import httpx
import yarl
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.admission.host_names import host_name, ipv6_address
from gateway.admission.mail_domains import mail_domain
from gateway.admission.normal_paths import normal_path
from gateway.admission.url_hosts import url_host

ODD = list("@:/\\?#[]%.,;&=+$!'()*|^`{}<>~_- \t\r\n\x00\x7f\u00a0\u2028\u200d\u3002\uff0f\uff20\u2100\u212aßςÜüä例ⓔ٢")
PIECES = [
    *("http", "https", "HTTP", "ftp", "ws", "file", "javascript", "://", ":/", "//", "example.com", "evil.example"),
    *("127.0.0.1", "0x7f", "0177", "1", "::1", "[::1]", "[fe80::1%25eth0]", "xn--bcher-kva", "xn--", "bücher", ":80"),
    *("user", "%2e", "%40", "%00", "..", ".", "a", "/", "@"),
]
URLS = st.one_of(
    st.lists(st.sampled_from([*PIECES, *ODD]), max_size=8).map("".join),
    st.lists(st.sampled_from([*PIECES, *ODD]), max_size=6).map(lambda parts: "http://" + "".join(parts)),
    st.text(max_size=20).map(lambda text: f"https://{text}/"),
    st.tuples(st.text(alphabet="ab1.-", min_size=1, max_size=12), st.text(max_size=8)).map(
        "https://{0[0]}{0[1]}".format
    ),
)


def spelled(host: str) -> str:
    """The host as another parser writes it, in the form of facts."""
    bare = host.removeprefix("[").removesuffix("]")
    return ipv6_address(bare) or host_name(bare) or bare


@given(URLS)
@settings(max_examples=800)
@example("https://example.com/")
@example("http://[2001:DB8::1]:80/")
@example("http://bücher.example./x")
def test_other_parsers_find_the_same_host_or_none(url: str) -> None:
    host = url_host(url)
    if host is None:
        return
    assert spelled(urlsplit(url).hostname or "") == host
    assert spelled(httpx.URL(url).raw_host.decode()) == host
    assert spelled(yarl.URL(url).raw_host or "") == host


@given(URLS)
@settings(max_examples=400)
def test_a_host_is_its_own_form(url: str) -> None:
    host = url_host(url)
    if host is not None:
        assert host == host.lower()
        assert host.isascii()
        written = f"[{host}]" if ":" in host else host
        assert url_host(f"https://{written}:443/") == host


@given(st.text(max_size=12))
@settings(max_examples=800)
@example("straße")
@example("Ꭰ")
@example("a\u200db")
def test_an_international_name_is_the_same_for_both_versions_of_idna(name: str) -> None:
    found = host_name(name)
    if found is not None and not name.isascii():
        try:
            earlier = name.removesuffix(".").encode("idna").decode()
        except UnicodeError:
            return  # IDNA 2003 knows no characters that are newer than it
        assert earlier.lower() == found


@given(st.one_of(st.text(max_size=24), st.lists(st.sampled_from([*PIECES, *ODD]), max_size=6).map("a@".join)))
@settings(max_examples=800)
@example("a.b+c@Example.com")
def test_another_parser_finds_the_same_domain_in_an_address(text: str) -> None:
    domain = mail_domain(text)
    if domain is not None:
        assert text.count("@") == 1
        local, _, written = text.partition("@")
        assert host_name(written) == domain
        assert mail_domain(f"{local}@{domain}") == domain
        if text.isascii():
            assert Address(addr_spec=text).domain == written


SEGMENTS = st.one_of(st.sampled_from(["", ".", "..", "a", "b.c", "...", " ", "~", "C:", "%2e%2e"]), st.text(max_size=4))


@given(st.one_of(st.lists(SEGMENTS, max_size=8).map("/".join), st.text(max_size=16)))
@settings(max_examples=800)
@example("a/../../b")
def test_a_normal_path_is_that_of_posix_and_its_own_normal_form(text: str) -> None:
    path = normal_path(text)
    if path is not None:
        assert path == posixpath.normpath(text)
        assert normal_path(path) == path
        assert ".." not in path.split("/")
        assert unicodedata.is_normalized("NFC", path)
        assert path.startswith("/") is text.startswith("/")
