"""URIs in policies, in the normal form in which requests name them: keys of the catalog, globs of rules."""

import unicodedata

from gateway.admission.uri_characters import decoded, escaped
from gateway.admission.uris import HOSTED, Abnormal, abnormality, normalize


def unusable_key(key: str) -> str:
    """Return the reason why a catalog cannot name a resource by a key, as the rest of a sentence; empty if it can."""
    prefix = key.removesuffix("*")
    if not prefix:
        return "is empty, or has no text before its `*`"
    if "*" in prefix:
        return "has a `*` before its end"
    found = abnormality(key if prefix == key else f"{prefix}x")
    return found.reason if found else ""


def normal_key(uri: str) -> str:
    """Return the key of a resource in the normal form in which requests name it; a prefix keeps its `*`."""
    prefix = uri.removesuffix("*")
    found = normalize(uri if prefix == uri else f"{prefix}x")
    if isinstance(found, Abnormal):
        return uri
    return found.text if prefix == uri else f"{found.text.removesuffix('x')}*"


def normal_pattern(pattern: str) -> str:
    """Return a glob of URIs that matches normal forms; `*` stays as it is."""
    prefix = pattern.partition("*")[0]
    text = escaped(unicodedata.normalize("NFC", decoded(pattern, [])))
    scheme, mark, rest = text.partition("://")
    if not mark or "*" in scheme or "?" in scheme:
        return text
    scheme = scheme.lower()
    host, slash, path = rest.partition("/")
    whole = len(prefix) > len(scheme) + len(mark) + len(host)
    if scheme in HOSTED and (slash or whole or "*" not in host):
        host = host.lower()
    return f"{scheme}://{host}{slash}{path}"
