"""The fields of a principal from a JWT's claims, each read or unknown.

Rule 1: a claim that is absent, stored elsewhere or malformed is unknown with a reason, never empty.
Rule 2: text is not split by guessing a separator, so text that contains one is not read as a group.
Rule 3: a setting names a claim or a path to it. A malformed subject or client refuses the token.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from msgspec import Struct

from gateway.admission.principal import ClaimField
from gateway.identity.issuer import Issuer
from gateway.protocol.json_pointers import keys_of

_LISTING: Final = frozenset(",;|[](){}\"'")
"""Characters between or around several names in one text."""
_ELSEWHERE: Final = "_claim_names"
"""The claim that lists claims which the issuer stores elsewhere (OpenID Connect Core section 5.6.2)."""
_OVERAGE: Final = "hasgroups"
"""The claim that marks a user with too many groups for this token (Microsoft Entra ID)."""


class UnreadClaim(Struct, frozen=True):
    """The reason why a claim could not be read."""

    why: str


class UnusableClaim(Exception):  # noqa: N818  it never leaves this package
    """A claim that names the caller but is not text."""


class ClaimReader(Struct, frozen=True):
    """Reader of the fields of one token; `claims` are those of a verified token."""

    claims: Mapping[str, Any]
    issuer: Issuer

    @property
    def subject(self) -> str | UnreadClaim:
        """The claim `sub`."""
        return self._text("sub")

    @property
    def client_id(self) -> str | UnreadClaim:
        """The claim that the settings name, otherwise `client_id`, otherwise `azp`."""
        if self.issuer.client_id_claim:
            return self._text(self.issuer.client_id_claim)
        found = self._text("client_id")
        found = found if isinstance(found, str) else self._text("azp")
        return found if isinstance(found, str) else UnreadClaim("the claims `client_id` and `azp` are absent")

    @property
    def groups(self) -> list[str] | UnreadClaim:
        """A list of texts, or one text without a separator."""
        name = self.issuer.groups_claim
        if name == "groups" and self.claims.get(_OVERAGE, False) is not False:
            return UnreadClaim(f"the token has `{_OVERAGE}` instead of all groups: the user is in too many groups")
        return self._read(name, _groups)

    @property
    def scopes(self) -> list[str] | UnreadClaim:
        """A list of texts, or the words of one text."""
        return self._read(self.issuer.scopes_claim, _scopes)

    def unread(self) -> dict[ClaimField, UnreadClaim]:
        """Return the unknown fields, in the order of their names."""
        read: dict[ClaimField, object] = {
            "client_id": self.client_id,
            "groups": self.groups,
            "scopes": self.scopes,
            "subject": self.subject,
        }
        return {name: value for name, value in read.items() if isinstance(value, UnreadClaim)}

    def _text(self, name: str) -> str | UnreadClaim:
        found = self._find(name)
        if isinstance(found, UnreadClaim):
            return found
        if not isinstance(found, str) or not found.strip() or not found.isprintable():
            raise UnusableClaim(f"The token's `{name}` is not printable text.")
        return found

    def _read(self, name: str, form: Callable[[Any], list[str] | None]) -> list[str] | UnreadClaim:
        found = self._find(name)
        if isinstance(found, UnreadClaim):
            return found
        words = form(found)
        return UnreadClaim(f"the claim `{name}` is not a list of texts") if words is None else words

    def _find(self, name: str) -> Any:
        """Return the value of the claim with this name, or at this path (dotted names or a JSON pointer)."""
        if name in self._elsewhere():
            return UnreadClaim(f"the issuer stores the claim `{name}` elsewhere (`{_ELSEWHERE}`)")
        if name in self.claims:
            return self.claims[name]
        value: Any = self.claims
        for part in _path(name):
            if not isinstance(value, Mapping) or part not in value:
                return UnreadClaim(f"the claim `{name}` is absent")
            value = cast("Mapping[str, Any]", value)[part]
        return value

    def _elsewhere(self) -> Mapping[str, Any]:
        named = self.claims.get(_ELSEWHERE)
        return cast("Mapping[str, Any]", named) if isinstance(named, Mapping) else {}


def _path(name: str) -> list[str]:
    return [*keys_of(name)] if name.startswith("/") else name.split(".")


def _groups(value: Any) -> list[str] | None:
    if isinstance(value, str):
        is_one = value.isprintable() and not any(letter in _LISTING or letter.isspace() for letter in value)
        return [value] if value and is_one else None
    return _texts(value)


def _scopes(value: Any) -> list[str] | None:
    return value.split() if isinstance(value, str) else _texts(value)


def _texts(value: Any) -> list[str] | None:
    if not isinstance(value, list):
        return None
    items = cast("list[Any]", value)
    return items if all(isinstance(item, str) and item for item in items) else None
