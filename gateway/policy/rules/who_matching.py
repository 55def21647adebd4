"""Check the claims and networks in `who` of rules, and match the caller of a question with them.

Rule 1: a claim has the name that it has in the token, or is a JSON pointer (RFC 6901) that begins with `/`.
Rule 2: a network must be in canonical form, so that it cannot be misread.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gateway.admission.principal import UNCARRIED
from gateway.artifact.json_narrowing import Json, is_array, is_object
from gateway.policy.sources.document import Document
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.problem import Problem
from gateway.protocol.json_pointers import keys_of, pointer_to

CLAIMS: Final = "/principal/claims"
"""JSON pointer to the claims in the policy input."""
_FORM: Final = "Write an address and a prefix length, such as 10.1.0.0/16 or 2001:db8::/32."
_INSTEAD: Final[Mapping[str, str]] = {
    "sub": "Use `subjects`.",
    "client_id": "Use `client_ids`.",
    "azp": "Use `client_ids`.",
    "iss": "Write `<issuer>#<subject>` in `subjects`, or ask for an agent whose identity has the issuer.",
}


def claim_path(name: str) -> tuple[str, ...]:
    """Return the keys that lead to a claim of a rule in the claims of a token."""
    return keys_of(name) if name.startswith("/") else (name,)


def claim_pointers(rule: Json) -> list[str]:
    """Return the claims that a rule reads, as JSON pointers into the policy input."""
    names = [name for who in stated_who(rule) for name in (*who.get("claims", ()), *_sources(who))]
    return [CLAIMS + pointer_to(claim_path(name)) for name in names]


def _sources(who: Json) -> tuple[str, ...]:
    """Return the claim that says that other claims are stored elsewhere; a rule that reads a claim reads it, too."""
    return ("_claim_names",) if who.get("claims") else ()


def stated_who(rule: Json) -> Iterator[Json]:
    """Yield the `who` of a rule and the `who` of its exception."""
    for part in (rule, rule.get("unless")):
        who = part.get("who") if is_object(part) else None
        if is_object(who):
            yield who


def placed_who(environment: Environment) -> Iterator[tuple[Document, str, Json]]:
    """Yield each `who` of the rules with its document and pointer."""
    for document, pointer, rule in environment.rules_placed():
        for part in ("", "/unless"):
            who = (rule.get("unless", {}) if part else rule).get("who")
            if who:
                yield document, f"{pointer}{part}/who", who


def networks(environment: Environment) -> Iterator[Problem]:
    """Yield a problem for each network in rules that is not in canonical form."""
    for document, pointer, who in placed_who(environment):
        for number, text in enumerate(who.get("source", ())):
            wrong = _wrong_network(text)
            if wrong:
                yield document.problem(f"{pointer}/source/{number}", *wrong)


def _wrong_network(text: str) -> tuple[str, str] | None:
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        network = None
    if network is None or "%" in text:
        return f"`{text}` is not a network.", _FORM
    address, slash, length = text.partition("/")
    if not slash:
        return f"`{text}` is an address, not a network.", f"Write `{network}` for this address alone."
    if not length.isascii() or not length.isdecimal():
        return f"`{text}` has no prefix length.", f"Write `{network}`."
    if isinstance(network, ipaddress.IPv6Network) and (mapped := _mapped(network)):
        return f"`{text}` is a network of IPv4 addresses.", f"Write `{mapped}`: these callers have IPv4 addresses."
    if ipaddress.ip_address(address) != network.network_address:
        alone = ipaddress.ip_network(address)
        said = f"`{text}` has bits set after its prefix: the network is `{network}`."
        return said, f"Write `{network}` for the whole network, or `{alone}` for this address alone."
    if str(network) != text:
        return f"`{text}` is not the canonical form of `{network}`.", f"Write `{network}`."
    return None


def _mapped(network: ipaddress.IPv6Network) -> ipaddress.IPv4Network | None:
    """Return the IPv4 network of an IPv6 network of IPv4-mapped addresses; None for other networks."""
    first = network.network_address.ipv4_mapped
    outer = 96
    if first is None or network.prefixlen < outer:
        return None
    return ipaddress.IPv4Network((first, network.prefixlen - outer), strict=False)


def wrong_claim(name: str) -> tuple[str, str] | None:
    """Return what is wrong with the name of a claim itself, and the remedy."""
    head = claim_path(name)[0]
    if head in UNCARRIED:
        return f"rules cannot use the claim `{head}`", _INSTEAD.get(head, "Remove it.")
    if not name.startswith("/") and "." in name and "/" not in name:
        inner = pointer_to(name.split("."))
        said = f"the claim `{name}` has dots in its name"
        return said, f"Write `{inner}` for a nested claim, or `{pointer_to([name])}` if the name really has dots."
    return None


def have(claims: Mapping[str, Any], wanted: Mapping[str, list[Any]]) -> bool:
    """Return whether every wanted claim has one of its values: an estimate for proposals, not for decisions."""
    return all(_has(claims, name, values) for name, values in wanted.items())


def _has(claims: Any, name: str, values: list[Any]) -> bool:
    found: Any = claims
    for key in claim_path(name):
        found = found.get(key) if is_object(found) else None
    return any(each in values for each in found) if is_array(found) else found in values


def comes_from(address: str, stated: Iterable[str]) -> bool:
    """Return whether an address is in one of the networks: an estimate for proposals, not for decisions."""
    try:
        caller = ipaddress.ip_address(address)
        return any(caller in ipaddress.ip_network(network) for network in stated)
    except ValueError:
        return False
