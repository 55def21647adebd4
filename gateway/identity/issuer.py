"""Settings of a trusted token issuer, as a value.

Rule 1: only asymmetric signature algorithms can be named; the type excludes `none` and the HMAC family.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
DEFAULT_ALGORITHMS: Final[tuple[Algorithm, ...]] = ("RS256", "ES256")


class Issuer(Struct, frozen=True, kw_only=True):
    """The requirements for the JWTs of one issuer (RFC 9068, RFC 8707)."""

    issuer: Annotated[str, Meta(min_length=1, description="Must equal the token's `iss`.")]
    keys_url: Annotated[str, Meta(min_length=1, description="URL of the issuer's key set (JWKS).")]
    ca_file: Annotated[
        Path | None,
        Meta(description="PEM file of CAs to trust for the key set, in addition to the system's."),
    ] = None
    audience: Annotated[
        str, Meta(description="Required `aud`; if empty, the URL of the server that receives the token.")
    ] = ""
    algorithms: Annotated[
        tuple[Algorithm, ...], Meta(min_length=1, description="Accepted signature algorithms; asymmetric ones only.")
    ] = DEFAULT_ALGORITHMS
    groups_claim: Annotated[
        str,
        Meta(
            min_length=1,
            description="Claim that lists the user's groups: its name, a path `a.b`, or a JSON pointer `/a/b.c`.",
        ),
    ] = "groups"
    scopes_claim: Annotated[str, Meta(description="Claim with the scopes: a list, or words in one string.")] = "scope"
    client_id_claim: Annotated[
        str, Meta(description="Claim that names the client; if empty, `client_id`, otherwise `azp`.")
    ] = ""
    required_scopes: Annotated[
        tuple[str, ...], Meta(description="Scopes that every token must have; otherwise 403 `insufficient_scope`.")
    ] = ()
