"""A token issuer that the operator trusts, as a value.

Rule 1: only asymmetric signatures can be named; `none` and the HMAC family are not in the type.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
DEFAULT_ALGORITHMS: Final[tuple[Algorithm, ...]] = ("RS256", "ES256")


class Issuer(Struct, frozen=True, kw_only=True):
    """What is expected of the JWTs of one issuer (RFC 9068, RFC 8707)."""

    issuer: Annotated[str, Meta(min_length=1, description="Must equal the token's `iss`.")]
    keys_url: Annotated[str, Meta(min_length=1, description="Where the issuer publishes its key set (JWKS).")]
    ca_file: Annotated[
        Path | None,
        Meta(description="PEM file of more authorities than the system's that are trusted for the key set."),
    ] = None
    audience: Annotated[
        str, Meta(description="Wanted `aud`; empty: the URL of the server that the token is presented to.")
    ] = ""
    algorithms: Annotated[
        tuple[Algorithm, ...], Meta(min_length=1, description="Signature algorithms accepted; asymmetric ones only.")
    ] = DEFAULT_ALGORITHMS
    groups_claim: Annotated[
        str,
        Meta(
            min_length=1,
            description="Claim that lists the user's groups: its name, a path `a.b`, or a JSON pointer `/a/b.c`.",
        ),
    ] = "groups"
    scopes_claim: Annotated[str, Meta(description="Claim that lists the scopes: a list, or words in one string.")] = (
        "scope"
    )
    client_id_claim: Annotated[
        str, Meta(description="Claim that names the client; empty: `client_id`, else `azp`.")
    ] = ""
    required_scopes: Annotated[
        tuple[str, ...], Meta(description="Scopes that every token must have; fewer is a 403 `insufficient_scope`.")
    ] = ()
