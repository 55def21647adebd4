"""Claims of tokens, the settings that read them, and the same claims with one removed, moved or of another form.

Rule 1: a lesser document says nothing readable in place of one claim; it never says another thing.
Rule 2: a claim is set in one place only, so that what is removed is not found in a second one.
"""

import copy
from collections.abc import Iterator
from typing import Any, Final

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import Struct

from gateway.identity.issuer import Issuer

ISSUER: Final = "https://idp.example"
RESOURCE: Final = "https://gateway.example/servers/a/mcp"
NOW: Final = 1_795_000_000.0
GROUPS: Final = ("staff", "contractors", "/company/interns")
SUBJECTS: Final = ("alice", "bob")
CLIENTS: Final = ("ide", "my.app")
Path = tuple[str, ...]
PLACES: Final[tuple[tuple[str, Path], ...]] = (
    ("groups", ("groups",)),
    ("https://idp.example/groups", ("https://idp.example/groups",)),
    ("realm_access.roles", ("realm_access", "roles")),
    ("/resource_access/my.app/roles", ("resource_access", "my.app", "roles")),
)
"""What the settings name as the claim of the groups, and where the token has it."""
JUNK: Final[tuple[Any, ...]] = (
    *(None, True, 0, -1.5, "", " ", {}, {"staff": True}, [None], [[]], [0]),
    *(["staff", 1], ["staff", ""], [["staff"]], [{"name": "staff"}]),
)
TEXTS: Final = ("staff contractors", "staff,contractors", "staff;interns", "staff|interns")
"""Texts that are no list of groups; as a subject each would be another one."""


class Presented(Struct, frozen=True):
    """The claims of a token and the settings of its issuer, with where its groups and all that names the caller are."""

    issuer: Issuer
    claims: dict[str, Any]
    groups: Path
    places: tuple[Path, ...]

    def lesser(self) -> Iterator[dict[str, Any]]:
        """Yield the claims with one removed, moved elsewhere, announced elsewhere, or of another form."""
        for place in self.places:
            yield _changed(self.claims, place)
            yield _changed(self.claims, place) | {"elsewhere": _at(self.claims, place)}
            yield _changed(self.claims, place) | {place[-1].upper(): _at(self.claims, place)}
            other = (*JUNK, *TEXTS) if place == self.groups else JUNK
            yield from (_changed(self.claims, place, junk) for junk in other if junk != _at(self.claims, place))
            for outer in range(1, len(place)):
                yield _changed(self.claims, place[:outer])
                yield _changed(self.claims, place[:outer], [_at(self.claims, place)])
            yield _changed(self.claims, place) | {"_claim_names": {place[-1]: "src"}, "hasgroups": True}


def _at(claims: Any, place: Path) -> Any:
    for name in place:
        claims = claims[name]
    return claims


def _changed(claims: dict[str, Any], place: Path, *value: Any) -> dict[str, Any]:
    made = copy.deepcopy(claims)
    holder = _at(made, place[:-1])
    del holder[place[-1]]
    if value:
        holder[place[-1]] = value[0]
    return made


@st.composite
def presented(draw: st.DrawFn, **more: SearchStrategy[Any]) -> Presented:
    """A token with all the claims that its issuer's settings name, and any of those in `more`."""
    named, place = draw(st.sampled_from(PLACES))
    client = draw(st.sampled_from(("", "cid")))
    settings = Issuer(issuer=ISSUER, keys_url=f"{ISSUER}/keys", groups_claim=named, client_id_claim=client)
    value: Any = draw(st.lists(st.sampled_from(GROUPS), min_size=draw(st.integers(0, 1)), max_size=2, unique=True))
    for name in reversed(place[1:]):
        value = {name: value}
    others = draw(st.fixed_dictionaries({}, optional=more))
    claims = {
        "iss": ISSUER,
        "aud": RESOURCE,
        "exp": NOW + 600,
        "sub": draw(st.sampled_from(SUBJECTS)),
        client or "client_id": draw(st.sampled_from(CLIENTS)),
        "scope": "read",
        place[0]: value,
        **others,
    }
    places = (("sub",), (client or "client_id",), ("scope",), place, *((name,) for name in others))
    return Presented(settings, claims, place, places)
