"""The settings of policy: its source, and the OPA that evaluates it.

Rule 1: as in `model`: frozen values, safe defaults, a description for each field.
"""

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

Count = Annotated[int, Meta(ge=1)]


class BundleKeySettings(Struct, frozen=True, kw_only=True):
    """A public key that may sign bundles."""

    file: Annotated[Path, Meta(description="PEM file of the public key.")]
    keyid: Annotated[str, Meta(description="Its id in signatures; empty: derived from the key, as in `sign`.")] = ""
    algorithm: Annotated[
        Literal["ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"],
        Meta(description="Signature algorithm; OPA does not verify EdDSA."),
    ] = "ES256"


class BundleServiceSettings(Struct, frozen=True, kw_only=True):
    """The hub, or another bundle service, that serves the policy in production."""

    urls: Annotated[tuple[str, ...], Meta(min_length=1, description="Base URLs of one or more hubs, tried in turn.")]
    channel: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="Channel to follow.")] = (
        "production"
    )
    resource: Annotated[
        str, Meta(description="Path of the bundle below the URL; empty: `bundles/<channel>.tar.gz`.")
    ] = ""
    token_file: Annotated[Path | None, Meta(description="File with the bearer token for the service.")] = None
    ca_file: Annotated[Path | None, Meta(description="PEM file of the authorities that may issue its certificate.")] = (
        None
    )
    keys: Annotated[
        tuple[BundleKeySettings, ...],
        Meta(description="Keys that may sign bundles; two during a key change."),
    ]
    not_after_grace_s: Annotated[
        int, Meta(ge=0, description="Seconds after its expiry for which a bundle may still be enforced.")
    ] = 0
    emergency: Annotated[
        BundleKeySettings | None,
        Meta(description="Key of the hub's stops, which are then followed; none: only local stops apply."),
    ] = None

    @property
    def path(self) -> str:
        """The path of the bundle below a URL."""
        return self.resource or f"bundles/{self.channel}.tar.gz"


class PolicySettings(Struct, frozen=True, kw_only=True):
    """The source of policy: a directory that is watched, or a bundle service."""

    directory: Annotated[Path, Meta(description="Policy repository (`rego/`, `bundles/`), built on every save.")]
    environment: Annotated[
        str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$", description="Directory below `bundles/` to enforce.")
    ] = "dev"
    watch: Annotated[bool, Meta(description="Rebuild when a file of the policy repository is saved.")] = True
    bundle: Annotated[
        BundleServiceSettings | None,
        Meta(description="Production: bundles come from this service, not from the directory."),
    ] = None


class OpaSettings(Struct, frozen=True, kw_only=True):
    """The OPA sidecar."""

    managed: Annotated[bool, Meta(description="Start and supervise OPA; false: use the one at `url`.")] = True
    url: Annotated[str, Meta(description="Address of an external OPA.")] = ""
    token_file: Annotated[Path | None, Meta(description="File with the bearer token for that OPA.")] = None
    ca_file: Annotated[Path | None, Meta(description="PEM file of the authorities that may issue its certificate.")] = (
        None
    )
    binary: Annotated[
        Path | None, Meta(description="OPA binary to start; none: found or downloaded at the pinned version.")
    ] = None
    gogc: Annotated[
        int, Meta(ge=10, description="GOGC of the managed OPA: higher is faster and takes more memory.")
    ] = 1000
    memory_limit_mib: Annotated[Count, Meta(description="GOMEMLIMIT of the managed OPA, MiB.")] = 1024
    deadline_ms: Annotated[
        Count, Meta(description="Maximum milliseconds for a decision, waiting included; a slower decision is a denial.")
    ] = 250
    stale_soft_s: Annotated[
        Count | None,
        Meta(description="Seconds without confirmation of the policy before a warning; none: half of `stale_hard_s`."),
    ] = None
    stale_hard_s: Annotated[
        Count | None, Meta(description="Seconds without confirmation of the policy before all is refused; none: never.")
    ] = 86400

    @property
    def soft_s(self) -> float | None:
        """Seconds after which to warn; None if the policy never becomes stale."""
        if self.stale_soft_s is not None or self.stale_hard_s is None:
            return self.stale_soft_s
        return self.stale_hard_s / 2
