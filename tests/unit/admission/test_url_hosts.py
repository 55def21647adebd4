"""The host of a URL is not fooled by known ways to show one parser another host than the next."""

# ruff: noqa: RUF001 - characters that look like others are what is tested

import pytest

from gateway.admission.url_hosts import LONGEST, url_host

HOSTS = {
    "https://example.com": "example.com",
    "https://example.com/": "example.com",
    "HTTPS://EXAMPLE.COM/": "example.com",
    "hTTp://a.Example.COM:8080/x?y=z#f": "a.example.com",
    "http://example.com./": "example.com",
    "http://localhost": "localhost",
    "http://localhost.": "localhost",
    "http://intranet:80": "intranet",
    "http://my_service:9000/": "my_service",
    "http://r3---sn-x.example/": "r3---sn-x.example",
    "ws://example.com/socket": "example.com",
    "wss://example.com/socket": "example.com",
    "ftp://example.com/file": "example.com",
    "http://127.0.0.1/": "127.0.0.1",
    "http://169.254.169.254/latest/meta-data/": "169.254.169.254",
    "http://1.2.3.4:65535": "1.2.3.4",
    "http://[::1]/": "::1",
    "http://[::]:80/": "::",
    "http://[2001:DB8:0:0:0::1]:8443/": "2001:db8::1",
    "http://[fe80::1]/": "fe80::1",
    "https://bücher.example/": "xn--bcher-kva.example",
    "https://xn--bcher-kva.example/": "xn--bcher-kva.example",
    "https://XN--BCHER-KVA.example/": "xn--bcher-kva.example",
    "https://xn--strae-oqa.example/": "xn--strae-oqa.example",
    "https://例え.テスト/": "xn--r8jz45g.xn--zckzah",
    "https://example.com/a@b": "example.com",
    "https://example.com/?to=a@b": "example.com",
    "https://example.com/#a@b": "example.com",
    "https://example.com/a:b//c/..;d": "example.com",
    "https://example.com/%00%2f%5c": "example.com",
    "https://example.com/straße?q=ü": "example.com",
    "https://example.com?q=1": "example.com",
    "https://example.com#f": "example.com",
    "http://0x7f.example/": "0x7f.example",
    "http://1.example/": "1.example",
    "http://example.0x7g/": "example.0x7g",
}

NONE = (
    # No scheme, another scheme, no host, too few or too many slashes.
    *("", "example.com", "//example.com/", "/path", "?q", "#f", "http", "http:", "http:/", "http://", "https://?q"),
    *("https://#f", "https:///example.com", "https:////example.com", "http:example.com", "http:/example.com"),
    *(
        "http//example.com",
        "://example.com",
        "http:///",
        "http://:80/",
        "http://:",
        "http://@/",
        "http://.",
        "http://..",
    ),
    *("file:///etc/passwd", "file://example.com/x", "file://localhost/etc/passwd", "file://c:/windows"),
    *("javascript://example.com/%0aalert(1)", "data:text/html,x", "mailto:a@example.com", "jar:http://example.com!/"),
    *("gopher://example.com:25/", "dict://example.com:11211/", "ldap://example.com/", "sftp://example.com"),
    *("view-source:http://example.com", "blob:http://example.com/1", "url:http://example.com", "git+ssh://example.com"),
    # A user before the host, and what some readers take for one.
    *("http://user@example.com/", "http://user:password@example.com/", "http://@example.com", "http://:@example.com"),
    *("http://example.com@evil.example/", "http://example.com:80@evil.example/", "http://a@b@c.example/"),
    *(
        "http://example.com%40evil.example/",
        "http://foo@evil.example:80@example.com/",
        "http://example.com&@evil.example",
    ),
    *("http://example.com?@evil.example/", "http://example.com#@evil.example/", "http://evil.example#@example.com/"),
    *("http://1.1.1.1 &@2.2.2.2# @3.3.3.3/", "http://evil.example?x=@example.com"),
    # Backslashes.
    *(
        "http://example.com\\@evil.example/",
        "http:\\\\example.com/",
        "http:/\\example.com/",
        "http://evil.example\\.example.com",
    ),
    *("http://example.com\\", "http://example.com/\\", "\\\\example.com\\share", "http://example.com/a\\b"),
    # White space and control characters, at an end and inside.
    *(
        " http://example.com",
        "http://example.com ",
        "http://exa mple.com",
        "http://example.com/a b",
        "\thttp://example.com",
    ),
    *(
        "http://example.com\n",
        "ht\ntp://example.com",
        "http://exam\tple.com",
        "http://example.com\r\nHost: evil.example",
    ),
    *(
        "http://example.com/\r\n",
        "http://example.com\x00.evil.example",
        "http://\x00example.com",
        "http://example.com\x7f",
    ),
    *("http://example.com/\x1f", "http://example.com\u00a0/", "http://example.com/\u2028", "http://example.com\u3000"),
    *("http://example.com/\u200b", "http://example\u00ad.com", "http://example.com\ufeff", "\ufeffhttp://example.com"),
    # Escapes in the host.
    *("http://%65xample.com/", "http://example%2ecom/", "http://example.com%2f@evil.example", "http://example.com%00/"),
    *("http://example.com%0d%0a/", "http://%31%32%37.0.0.1/", "http://127%2e0.0.1/", "http://b%C3%BCcher.example/"),
    # IPv4 addresses in other forms than four decimal numbers.
    *(
        "http://2130706433/",
        "http://0x7f000001/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.1/",
        "http://0/",
    ),
    *(
        "http://0177.0.0.1/",
        "http://0x7f.0.0.1/",
        "http://127.0.0.01/",
        "http://127.000.000.001/",
        "http://127.0.0.1./",
    ),
    *("http://0x7f.1/", "http://256.256.256.256/", "http://1.2.3.4.5/", "http://127.0.0.1.0x/", "http://1.2.3/"),
    *("http://4294967297/", "http://example.1/", "http://example.0x1/", "http://.127.0.0.1/", "http://127.0.0.1x@1/"),
    *("http://①②⑦.⓪.⓪.①/", "http://１２７.０.０.１/", "http://127。0。0。1/", "http://٢.0.0.1/"),
    # IPv6 addresses with zones, with an IPv4 address inside, or badly written.
    *("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
    *("http://[64:ff9b:1::7f00:1]/", "http://[::ffff:0:127.0.0.1]/", "http://[2001:0:7f00:1::]/"),
    *("http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::1", "http://::1]/"),
    *("http://[::1]x/", "http://x[::1]/", "http://[[::1]]/", "http://[]/", "http://[1.2.3.4]/", "http://[::1]:/"),
    *("http://[example.com]/", "http://[::1]@evil.example/", "http://[v1.x]/", "http://[:::1]/", "http://[::12345]/"),
    # Ports.
    *("http://example.com:/", "http://example.com:0/", "http://example.com:65536/", "http://example.com:080/"),
    *("http://example.com:99999999999999999999/", "http://example.com:-1/", "http://example.com:+80/"),
    *("http://example.com:80a/", "http://example.com:8_0/", "http://example.com:٨٠/", "http://example.com:80:80/"),
    *("http://example.com: 80/", "http://example.com:80\n/", "http://example.com:0x50/"),
    # Names that are none.
    *("http://-example.com/", "http://example-.com/", "http://a..b/", "http://.example.com/", "http://example.com../"),
    *("http://exa$mple.com/", "http://exa*mple.com", "http://a,b.example/", "http://a;b.example/", "http://a!b/"),
    *(
        "http://'example.com'/",
        'http://"example.com"/',
        "http://<example.com>/",
        "http://{example.com}/",
        "http://a|b/",
    ),
    *("http://example.com,evil.example/", "http://good.example,http://evil.example/", "http://a=b/", "http://a+b/"),
    *("http://" + "a" * 64 + ".example/", "http://" + "a." * 127 + "b/", "http://a~b/", "http://a^b/", "http://a`b/"),
    # Names that IDNA 2003, IDNA 2008 and UTS 46 take differently.
    *("http://straße.example/", "http://ς.example/", "http://a\u200db.example/", "http://a\u200cb.example/"),
    *(
        "http://ｅxample.com/",
        "http://example。com/",
        "http://example．com/",
        "http://ⓔxample.com/",
        "http://exa\u212aple.com/",
    ),
    *("http://ﬁle.example/", "http://BÜCHER.example/", "http://bu\u0308cher.example/", "http://☃.example/"),
    *("http://xn--/", "http://xn--a/", "http://xn--abc-/", "http://xn--0.example/", "http://xn--zzzzzz.example/"),
    *("http://Ꭰ.example/", "http://example.com／evil/", "http://example.com＠evil.example/", "http://evil.c℀.example/"),
    *("http://\ud800.example/", "http://\u202eexample.com/", "http://ab--ü.example/", "http://-ü.example/"),
    "http://example.com/" + "a" * LONGEST,
)


@pytest.mark.parametrize(("url", "host"), HOSTS.items())
def test_a_host_that_all_readers_find_is_the_host(url: str, host: str) -> None:
    assert url_host(url) == host


@pytest.mark.parametrize("url", NONE)
def test_a_url_that_readers_take_differently_has_no_host(url: str) -> None:
    assert url_host(url) is None


def test_the_table_of_tricks_is_long() -> None:
    assert len(set(NONE)) == len(NONE) >= 150
