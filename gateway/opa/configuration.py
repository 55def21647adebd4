"""Start-up files of a managed OPA: its configuration, boot policy, command line and environment.

Rule 1: OPA serves only the gateway's requests. The boot policy is a local file, never part of a bundle.
Rule 2: a bundle without a valid signature by the configured key never becomes active (GHSA-g2pf-6v5v-qcc8: the key id
is always set).
Rule 3: stops come in a separate bundle, signed by another key for another scope. Neither bundle can replace the other.
Rule 4: OPA's environment contains only the Go runtime's two memory settings, so `opa.runtime()` reveals nothing.
"""

import json
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from gateway.opa.answer import BUNDLE, EMERGENCY

SERVICE: Final = "bundles"

BOOT: Final = """\
package system.authz

default allow := false

allow if {
	input.method == "POST"
	input.path == ["v1", "data", "mcp", "admission", "decision"]
}

allow if {
	input.method == "POST"
	input.path == ["v1", "data", "mcp", "admission", "listing"]
}

allow if {
	input.method == "GET"
	input.path == ["health"]
}

allow if {
	input.method == "GET"
	input.path == ["v1", "status"]
}

allow if {
	input.method == "GET"
	input.path == ["v1", "data", "system", "bundles", "policy", "manifest"]
}
"""


class EmergencySource(Struct, frozen=True, kw_only=True):
    """The bundle of stops: from the same service as the policy, with a separate key."""

    resource: str
    keyid: str
    public_key: str
    algorithm: str = "ES256"


class BundleSource(Struct, frozen=True, kw_only=True):
    """The bundle service that a managed OPA follows by long polling."""

    url: str
    """Base address of the service; loopback in development."""
    resource: str
    """Path of the bundle below it."""
    token: str = ""
    """Bearer token of the service; empty if it needs none."""
    keyid: str
    public_key: str
    """PEM of the key that verifies signatures."""
    algorithm: str = "ES256"
    ca_file: str = ""
    """PEM of the CAs for an https service; empty means the system's."""
    emergency: EmergencySource | None = None
    """Source of the stops; None means that nothing can be stopped."""


class Memory(Struct, frozen=True, kw_only=True):
    """The Go runtime's settings (measured: OPA.md section 11): a larger heap makes decisions faster and steadier."""

    gogc: int = 400
    limit: str = ""
    """`GOMEMLIMIT`, such as `600MiB`; empty means none."""


def configuration(source: BundleSource) -> dict[str, Any]:
    """Return OPA's configuration document. It contains the service's token, so its file must be private."""
    service: dict[str, Any] = {"url": source.url}
    if source.token:
        service["credentials"] = {"bearer": {"token": source.token}}
    if source.ca_file:
        service["tls"] = {"ca_cert": source.ca_file}
    keys = {source.keyid: {"algorithm": source.algorithm, "key": source.public_key}}
    bundles = {BUNDLE: _bundle(source.resource, {"keyid": source.keyid})}
    stops = source.emergency
    if stops is not None:
        keys[stops.keyid] = {"algorithm": stops.algorithm, "key": stops.public_key}
        bundles[EMERGENCY] = _bundle(stops.resource, {"keyid": stops.keyid, "scope": EMERGENCY})
    return {
        "services": {SERVICE: service},
        "keys": keys,
        "bundles": bundles,
        "status": {"prometheus": True},  # the only way to enable /v1/status without sending it to a service
    }


def _bundle(resource: str, signing: dict[str, str]) -> dict[str, Any]:
    polling = {"min_delay_seconds": 1, "max_delay_seconds": 3, "long_polling_timeout_seconds": 30}
    return {"service": SERVICE, "resource": resource, "polling": polling, "signing": signing}


def write(directory: Path, source: BundleSource) -> None:
    """Write the configuration and the boot policy into OPA's private directory."""
    (directory / "config.json").write_text(json.dumps(configuration(source)), encoding="utf-8")
    (directory / "authz.rego").write_text(BOOT, encoding="utf-8")


def command(binary: Path, directory: Path, socket: Path) -> list[str]:
    """Return the command line of `opa run`."""
    return [
        str(binary),
        "run",
        "--server",
        f"--addr=unix://{socket}",
        "--unix-socket-perm=700",
        "--authorization=basic",
        "--log-level=error",
        "--skip-version-check",
        "--shutdown-grace-period=1",
        f"--config-file={directory / 'config.json'}",
        str(directory / "authz.rego"),
    ]


def environment(memory: Memory) -> dict[str, str]:
    """Return the complete environment of OPA."""
    limit = {"GOMEMLIMIT": memory.limit} if memory.limit else {}
    return {"GOGC": str(memory.gogc)} | limit
