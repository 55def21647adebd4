"""An OPA as another team runs it: in a container, with TLS, a token and a signed bundle of its own.

    with foreign(directory, policy) as opa:         # `policy` holds `bundles/test`
        opa.start(1)                                # the policy as revision test@...1
        ... opa.settings ...                        # the section `opa` of a gateway that uses it
        opa.kill()                                  # SIGKILL; the next one has the same port, certificate and token

Rule 1: the image is made FROM scratch on the spot, out of what this machine has; nothing is pulled.
Rule 2: it answers whoever has the token, and only what a gateway asks.
"""

import json
import random
import shutil
import socket
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast

import pytest
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.image import DockerImage

from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import Packed, pack
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.opa.answer import BUNDLE
from gateway.opa.binary import obtain
from gateway.policy.build import Builder, PolicySource
from gateway.policy.sources.problem import Problems
from tests.unit.supervisor.certificates import write_certificate

ENVIRONMENT: Final = "test"
HOST: Final = "127.0.0.1"
TOKEN: Final = "the-token-of-that-team"
_INSIDE: Final = "8181/tcp"
_NOBODY: Final = "65534:65534"
_ARCHIVE: Final = "/bundle.tar.gz"

_DOCKERFILE: Final = f"""\
FROM scratch
COPY --chown={_NOBODY} opa tls.crt tls.key authz.rego config.json /
USER {_NOBODY}
ENTRYPOINT ["/opa", "run", "--server", "--addr=https://0.0.0.0:8181", \
"--tls-cert-file=/tls.crt", "--tls-private-key-file=/tls.key", \
"--authentication=token", "--authorization=basic", \
"--skip-version-check", "--log-level=error", "--config-file=/config.json", "/authz.rego"]
"""

_AUTHORIZATION: Final = f"""\
package system.authz

default allow := false

allow if {{
	input.identity == "{TOKEN}"
	[input.method, concat("/", input.path)] in {{
		["POST", "v1/data/mcp/admission/decision"],
		["POST", "v1/data/mcp/admission/listing"],
		["GET", "health"],
		["GET", "v1/status"],
		["GET", "v1/data/system/bundles/policy/manifest"],
	}}
}}
"""


class ForeignOpa:
    """At most one container at a time, always on the same port; made by `foreign` only."""

    def __init__(self, image: str, directory: Path, files: dict[str, bytes], key: SigningKey) -> None:
        self.port: Final = _free_port()
        self._image: Final = image
        self._directory: Final = directory
        self._files: Final = files
        self._key: Final = key
        self._container: DockerContainer | None = None
        self.latest = 0
        """The highest sequence number that was started."""

    @property
    def running(self) -> bool:
        """Whether there is a container."""
        return self._container is not None

    @property
    def settings(self) -> dict[str, Any]:
        """The section `opa` of the settings of a gateway that uses it."""
        token = self._directory / "token"
        token.write_text(f"{TOKEN}\n", encoding="ascii")
        return {
            "managed": False,
            "url": f"https://{HOST}:{self.port}",
            "token_file": str(token),
            "ca_file": str(self._directory / "tls.crt"),
            "deadline_ms": 2_000,  # a busy machine is not what these tests are about
        }

    def bundle(self, seq: int) -> Packed:
        """The signed policy under a sequence number."""
        return pack(self._files, BundleMetadata(environment=ENVIRONMENT, seq=seq), key=self._key)

    def start(self, seq: int) -> str:
        """Start a container with the policy under this sequence number, in place of any other; its revision."""
        self.kill()
        self.latest = max(self.latest, seq)
        packed = self.bundle(seq)
        container = DockerContainer(self._image, cap_drop=["ALL"])
        # testcontainers' type has no room for the address that docker-py takes: without one, all the world could ask.
        cast("dict[str, Any]", container.ports)[_INSIDE] = (HOST, self.port)
        container.with_copy_into_container(packed.content, _ARCHIVE)
        self._container = container
        container.start()
        return packed.revision

    def kill(self) -> None:
        """Kill what runs, and take it away."""
        container, self._container = self._container, None
        if container is not None:
            container.stop(force=True)

    def log(self) -> str:
        """What the container that runs has said."""
        if self._container is None:
            return "no container runs"
        output, errors = self._container.get_logs()
        return (output + errors).decode(errors="replace")


@contextmanager
def foreign(directory: Path, policy: Path) -> Generator[ForeignOpa]:
    """An OPA that can be started with the policy of a directory; nothing of it is left after the block."""
    binary, key = obtain(print), ephemeral_key()
    content = Builder(directory / "state", binary, key=key).content(PolicySource(policy, ENVIRONMENT), time.time())
    assert not isinstance(content, Problems), content
    _write_context(directory, binary, key)
    with pytest.MonkeyPatch.context() as patch, _image(directory, patch) as image:
        opa = ForeignOpa(image.short_id, directory, content.files, key)
        try:
            yield opa
        finally:
            opa.kill()


def _image(directory: Path, patch: pytest.MonkeyPatch) -> DockerImage:
    """The image, to be built; testcontainers reads no environment and starts no reaper, which it would pull."""
    patch.setattr(testcontainers_config, "_ryuk_disabled", True)
    patch.setattr(testcontainers_config, "connection_mode_override", ConnectionMode.docker_host)
    patch.setattr(testcontainers_config, "tc_host_override", HOST)
    patch.setattr(testcontainers_config, "hub_image_name_prefix", "")
    return DockerImage(path=directory)


def _write_context(directory: Path, binary: Path, key: SigningKey) -> None:
    shutil.copy(binary, directory / "opa")
    write_certificate(directory / "tls.crt", directory / "tls.key", "opa")
    (directory / "authz.rego").write_text(_AUTHORIZATION, encoding="utf-8")
    (directory / "config.json").write_text(json.dumps(_configuration(key)), encoding="utf-8")
    (directory / "Dockerfile").write_text(_DOCKERFILE, encoding="utf-8")
    (directory / ".dockerignore").write_text("state\ntoken\n", encoding="utf-8")


def _configuration(key: SigningKey) -> dict[str, Any]:
    return {
        "keys": {key.keyid: {"algorithm": key.algorithm, "key": key.public_pem}},
        "bundles": {BUNDLE: {"resource": f"file://{_ARCHIVE}", "signing": {"keyid": key.keyid}}},
        "status": {"prometheus": True},
    }


def _free_port() -> int:
    """A port below those of outgoing connections: none of them takes it while a container is replaced."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as asked:
            if asked.connect_ex((HOST, port)) != 0:
                return port
    raise AssertionError("no port of a hundred is free")
