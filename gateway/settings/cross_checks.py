"""Rules between settings: each rule reads the complete settings and yields the conflicts that it finds.

Rule 1: a combination that would accept unintended callers is an error, never a warning.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Struct

from gateway.identity.issuer import Issuer
from gateway.identity.key_server_tls import authorities
from gateway.journal.encryption import KeyFault, recipients
from gateway.settings.model import Settings

NEVER_SHOWN: Final = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie", "mcp-session-id"})
"""Headers that contain credentials; policy input never contains them."""

RESERVED_ENVIRONMENT: Final = "emergency"
_LABEL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
_RESOURCE: Final = re.compile(r"\w[\w.~-]*(/\w[\w.~-]*)*", re.ASCII)
_TOKEN: Final = re.compile(r"^[a-z0-9!#$%&'*+.^_`|~-]+$")


class SettingConflict(Struct, frozen=True):
    """A violated rule: the setting, the error, and the remedy."""

    key: str
    message: str
    remedy: str


def loopback(host: str) -> bool:
    """Return True for addresses that only this machine can reach."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def clashes(settings: Settings) -> list[SettingConflict]:
    """Return all violated rules."""
    return [clash for rule in RULES for clash in rule(settings)]


def _anonymous(settings: Settings) -> Iterator[SettingConflict]:
    if settings.identity.anonymous and not loopback(settings.listen.host):
        message = f"anonymous callers would be accepted from other machines (`listen.host` is {settings.listen.host})"
        yield SettingConflict("identity.anonymous", message, "Set it to false, or `listen.host` to 127.0.0.1.")


def _public_url(settings: Settings) -> Iterator[SettingConflict]:
    listen = settings.listen
    if listen.public_url:
        url = _split(listen.public_url)
        if url is None or url.path not in ("", "/") or url.query or url.fragment or url.username is not None:
            remedy = "Write an origin: scheme, host and port, such as https://mcp.example.com."
            yield SettingConflict("listen.public_url", f"`{listen.public_url}` is not an origin", remedy)
    elif not loopback(listen.host):
        message = "is required if other machines can reach the listener: tokens are bound to it"
        yield SettingConflict(
            "listen.public_url", message, "Write the origin that clients use, such as https://mcp.example.com."
        )
    elif listen.port == 0 and settings.identity.issuers:
        message = "is required if `listen.port` is 0 and tokens of issuers are accepted"
        yield SettingConflict("listen.public_url", message, "Write the origin that clients use.")


def _plaintext(settings: Settings) -> Iterator[SettingConflict]:
    listen = settings.listen
    if not (loopback(listen.host) or listen.tls or listen.trusted_proxies or listen.plaintext):
        message = "credentials would cross the network unencrypted"
        remedy = (
            "Set `listen.tls`, name the proxy that ends TLS in `listen.trusted_proxies`, or set `listen.plaintext`."
        )
        yield SettingConflict("listen.host", message, remedy)


def _proxies(settings: Settings) -> Iterator[SettingConflict]:
    for proxy in settings.listen.trusted_proxies:
        try:
            ipaddress.ip_network(proxy)
        except ValueError:
            remedy = "Write an address or a network, such as 10.0.0.7 or 10.0.0.0/24."
            yield SettingConflict("listen.trusted_proxies", f"`{proxy}` is not a network", remedy)


def _names(settings: Settings) -> Iterator[SettingConflict]:
    for host in settings.listen.allowed_hosts:
        url = _split(f"http://{host}")
        if url is None or url.netloc != host or "*" in host:
            yield SettingConflict(
                "listen.allowed_hosts", f"`{host}` is not a host name", "Write host or host:port, no wildcard."
            )
    for origin in settings.listen.allowed_origins:
        url = _split(origin)
        if url is None or url.path or url.query or url.fragment or "*" in origin:
            remedy = "Write scheme://host[:port] without a path or wildcard."
            yield SettingConflict("listen.allowed_origins", f"`{origin}` is not an origin", remedy)


def _policy(settings: Settings) -> Iterator[SettingConflict]:
    if settings.policy.environment == RESERVED_ENVIRONMENT:
        remedy = "Give the environment another name."
        yield SettingConflict("policy.environment", f"`{RESERVED_ENVIRONMENT}` is reserved for stops", remedy)
    bundle = settings.policy.bundle
    if bundle is None:
        return
    for url in bundle.urls:
        yield from _safe_url("policy.bundle.urls", url)
    if not bundle.keys:
        yield SettingConflict(
            "policy.bundle.keys", "is empty: no bundle could be verified", "Add the file of a public key."
        )
    if not _RESOURCE.fullmatch(bundle.path):
        remedy = "Write a plain path, such as bundles/production.tar.gz."
        yield SettingConflict("policy.bundle.resource", f"`{bundle.path}` is not a path below a URL", remedy)


def _labels(settings: Settings) -> Iterator[SettingConflict]:
    for name, value in settings.labels.items():
        if not (_LABEL.fullmatch(name) and _LABEL.fullmatch(value)):
            remedy = "Use letters, digits, `.`, `_`, `-` and `/`, at most 63, for both the name and the value."
            yield SettingConflict("labels", f"`{name}: {value}` is not a label", remedy)


def _opa(settings: Settings) -> Iterator[SettingConflict]:
    opa = settings.opa
    if opa.managed and opa.url:
        yield SettingConflict(
            "opa.url", "is set, but `opa.managed` is true", "Set `opa.managed` to false, or remove the URL."
        )
    if not opa.managed and not opa.url:
        yield SettingConflict(
            "opa.url", "is missing, and `opa.managed` is false", "Write the address of the OPA to use."
        )
    if opa.url:
        yield from _safe_url("opa.url", opa.url)
    if opa.stale_soft_s and opa.stale_hard_s and opa.stale_soft_s > opa.stale_hard_s:
        message = "is longer than `opa.stale_hard_s`: the warning would come after the refusals"
        yield SettingConflict("opa.stale_soft_s", message, "Set it to at most `opa.stale_hard_s`.")


def _issuers(settings: Settings) -> Iterator[SettingConflict]:
    seen: set[str] = set()
    for index, issuer in enumerate(settings.identity.issuers):
        yield from _safe_url(f"identity.issuers[{index}].keys_url", issuer.keys_url)
        yield from _authorities(f"identity.issuers[{index}].ca_file", issuer)
        if issuer.issuer in seen:
            yield SettingConflict(
                f"identity.issuers[{index}].issuer", f"`{issuer.issuer}` appears twice", "Keep one of them."
            )
        seen.add(issuer.issuer)


def _authorities(key: str, issuer: Issuer) -> Iterator[SettingConflict]:
    try:
        authorities(issuer.ca_file)
    except OSError as error:
        message = f"`{issuer.ca_file}` cannot be used: {error.strerror or error}"
        yield SettingConflict(key, message, "Name a PEM file with the certificate of the authority.")


def _headers(settings: Settings) -> Iterator[SettingConflict]:
    for name in settings.headers:
        if name.lower() in NEVER_SHOWN:
            yield SettingConflict("headers", f"`{name}` contains credentials; policy never sees it", "Remove it.")
        elif not _TOKEN.match(name.lower()):
            yield SettingConflict("headers", f"`{name}` is not a header name", "Write the name alone, such as x-team.")


def _ports(settings: Settings) -> Iterator[SettingConflict]:
    if settings.listen.port and settings.listen.port == settings.admin.port:
        yield SettingConflict("admin.port", "is the port of the data listener", "Give the admin listener another port.")


def _auditor_key(settings: Settings) -> Iterator[SettingConflict]:
    key = settings.journal.auditor_key
    remedy = "Write a public key (age1..., ssh-ed25519 ...), or the absolute path of a file of them."
    if key and not key.startswith(("/", "age1", "ssh-", "AGE-")):
        yield SettingConflict("journal.auditor_key", f"`{key}` is neither a public key nor an absolute path", remedy)
        return
    found = recipients(key) if key else None
    if isinstance(found, KeyFault):
        yield SettingConflict("journal.auditor_key", f"cannot be used: {found.why}", remedy)


def _safe_url(key: str, text: str) -> Iterator[SettingConflict]:
    url = _split(text)
    if "@" in text.partition("//")[2].partition("/")[0]:
        message = "contains a user name or password, which health, logs and records would show"
        yield SettingConflict(key, message, "Remove credentials from the URL; put them in the token file.")
    elif url is None:
        yield SettingConflict(key, f"`{text}` is not an http(s) URL", "Write it as https://host/path.")
    elif url.scheme == "http" and not loopback(url.hostname or ""):
        yield SettingConflict(key, f"`{text}` is not encrypted", "Use https; plain http is for this machine only.")


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    return url if url.scheme in ("http", "https") and url.hostname and text.isprintable() and " " not in text else None


RULES: Final[tuple[Callable[[Settings], Iterator[SettingConflict]], ...]] = (
    _anonymous,
    _public_url,
    _plaintext,
    _proxies,
    _names,
    _policy,
    _labels,
    _opa,
    _issuers,
    _headers,
    _ports,
    _auditor_key,
)
