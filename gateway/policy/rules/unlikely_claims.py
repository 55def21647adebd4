"""Find claim names in rules that tokens probably do not have.

Rule 1: if `environment.yaml` lists the claims, any other claim is unknown.
Rule 2: without the list, a name is unknown only if it is similar to a common claim or to a claim of another rule.
"""

from collections import Counter
from typing import Final

from gateway.policy.rules.who_matching import claim_path, placed_who, wrong_claim
from gateway.policy.sources.environment import Environment
from gateway.policy.sources.name_suggestions import nearest

_USUAL: Final = frozenset(
    {
        "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture",
        "website", "email", "email_verified", "gender", "birthdate", "zoneinfo", "locale", "phone_number",
        "phone_number_verified", "address", "updated_at", "auth_time", "acr", "amr", "nonce", "roles", "role",
        "groups", "group", "entitlements", "permissions", "department", "dept", "organization", "org_id", "org",
        "tenant", "tid", "oid", "upn", "unique_name", "wids", "appid", "hd", "realm_access", "resource_access",
        "employee_type", "title",
    }
)  # fmt: skip
"""Claims of OpenID Connect and RFC 9068, and claims that common identity providers add."""
_OF_CLAIMS: Final = "Correct the name, or add it to `claims` in environment.yaml."


class ClaimNames:
    """The claims that the rules of an environment name, and those that the environment lists."""

    def __init__(self, environment: Environment) -> None:
        stated = environment.settings.value.get("claims")
        self._stated: Final = None if stated is None else frozenset(stated)
        self._named: Final = Counter(name for _, _, who in placed_who(environment) for name in who.get("claims", ()))

    def unknown(self, name: str) -> tuple[str, str] | None:
        """Return what is wrong with the name of a claim, and the remedy; None if a token may have the claim."""
        if self._stated is not None and name in self._stated:
            return None
        wrong = wrong_claim(name)
        if wrong:
            return wrong
        said = f"no claim is called `{name}`"
        if self._stated is not None:
            return said, nearest(name, self._stated) or _OF_CLAIMS
        close = "" if claim_path(name)[0] in _USUAL and len(claim_path(name)) == 1 else self._near(name)
        return (said, f"{close} If both exist, list them in `claims` in environment.yaml.") if close else None

    def _near(self, name: str) -> str:
        others = {other for other in self._named if other != name}
        head, *below = claim_path(name)
        if not below:
            return nearest(name, others | _USUAL)
        of_head = "" if head in _USUAL else nearest(f"/{head}", {f"/{usual}" for usual in _USUAL})
        return nearest(name, others) or of_head


def issuer_of(name: str) -> str:
    """Return the issuer of a subject or client id in a rule; empty if it does not name one."""
    return name.partition("#")[0] if "#" in name else ""
