"""A hub as a test needs it: bundles to publish, tokens of every role, settings, and the hub as a process.

Rule 1: the process is started as a user starts it, `mcp-admission hub serve --config FILE`, and ended by its id.
"""

import asyncio
import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx
from cryptography.hazmat.primitives import serialization
from msgspec import Struct

from gateway.artifact.manifest import BundleMetadata, rfc3339
from gateway.artifact.pack import canonical, pack
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.hub.bearer_tokens import ROLES
from gateway.identity import tokens
from tests.running import end, until

POLICY: Final = b"""package mcp.admission

answer := data.own.answer

stopped contains name if {
	some name, _ in data.emergency.agent
	name != ""
}
"""


def bundle(answer: object, key: SigningKey | None, seq: int, **metadata: Any) -> bytes:
    """Return a bundle of the environment `test` whose policy answers this."""
    said: dict[str, Any] = {"environment": "test", "not_after": rfc3339(time.time() + 3600), **metadata}
    files = {"mcp/admission/x.rego": POLICY, "data.json": canonical({"own": {"answer": answer}})}
    return pack(files, BundleMetadata(seq=seq, **said), key=key).content


def private_pem(key: SigningKey) -> bytes:
    """Return the key as a file has it."""
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private.private_bytes(*form)


class Ground(Struct, frozen=True):
    """What a hub is made from: its directory, the key of its bundles, the key of its stops, a token a role."""

    root: Path
    key: SigningKey
    emergency: SigningKey
    tokens: Mapping[str, str]

    @property
    def directory(self) -> Path:
        """Return where the hub keeps what it has."""
        return self.root / "hub"

    @property
    def settings(self) -> Path:
        """Return the settings file."""
        return self.root / "hub.yaml"

    def headers(self, role: str) -> dict[str, str]:
        """Return the headers of one with this role."""
        return {"authorization": f"Bearer {self.tokens[role]}"}

    def token_file(self, role: str) -> Path:
        """Return a file with the token of this role."""
        path = self.root / f"{role}.token"
        path.write_text(self.tokens[role] + "\n", encoding="ascii")
        return path


def changed(ground: Ground, name: str, **changes: Any) -> None:
    """Change the entry of the token `name` in the settings of a hub."""
    settings = json.loads(ground.settings.read_text(encoding="utf-8"))
    settings["tokens"] = [each | (changes if each["name"] == name else {}) for each in settings["tokens"]]
    ground.settings.write_text(json.dumps(settings, indent=2), encoding="utf-8")


def ground(root: Path, **changes: Any) -> Ground:
    """Return the ground of a hub, with its settings and keys written."""
    made = {role: tokens.token(index.to_bytes(32, "big")) for index, role in enumerate(ROLES, 1)}
    found = Ground(root, ephemeral_key(), ephemeral_key(), made)
    (root / "release.pem").write_bytes(private_pem(found.key))
    (root / "release.pub.pem").write_text(found.key.public_pem, encoding="ascii")
    (root / "emergency.pem").write_bytes(private_pem(found.emergency))
    settings: dict[str, Any] = {
        "directory": str(found.directory),
        "listen": {"port": 0},
        "keys": [{"file": "release.pub.pem"}],
        "emergency_key": "emergency.pem",
        "tokens": [
            {"name": f"the-{role}", "roles": [role], "sha256": tokens.digest(text)}
            | ({"gateways": ["*"]} if role == "gateway" else {})
            for role, text in made.items()
        ],
    }
    found.settings.write_text(json.dumps(settings | changes, indent=2), encoding="utf-8")
    return found


def twin(made: Ground, root: Path) -> Ground:
    """Return the ground of another hub with the same keys and tokens, and nothing published."""
    root.mkdir()
    for file in made.root.iterdir():
        if file.is_file():
            shutil.copy(file, root / file.name)
    found = Ground(root, made.key, made.emergency, made.tokens)
    settings = json.loads(made.settings.read_text(encoding="utf-8"))
    found.settings.write_text(json.dumps(settings | {"directory": str(found.directory)}), encoding="utf-8")
    return found


class Hub:
    """A running hub process."""

    def __init__(self, ground: Ground, process: subprocess.Popen[bytes], log: Path) -> None:
        """Take the process; made by `serving` only."""
        self.ground: Final = ground
        self.process: Final = process
        self.log: Final = log
        self.url = ""
        self.client: httpx.AsyncClient | None = None

    async def call(self, role: str, method: str, place: str, **body: Any) -> httpx.Response:
        """Return the answer to one with this role."""
        if self.client is None:
            trusted = self.ground.root / "tls.crt"
            verify = ssl.create_default_context(cafile=trusted) if self.url.startswith("https") else True
            self.client = httpx.AsyncClient(timeout=60, verify=verify)
        return await self.client.request(method, self.url + place, headers=self.ground.headers(role), **body)

    async def publish(self, content: bytes, channel: str = "production") -> dict[str, Any]:
        """Upload and point, as `bundle publish` does; return the pointer."""
        known = (await self.call("publisher", "GET", "/v1/channels")).json()["channels"]
        expected = next((each["digest"] for each in known if each["channel"] == channel), None)
        uploaded = await self.call("publisher", "POST", "/v1/artefacts", content=content)
        assert uploaded.status_code == 201, uploaded.text
        body = {"digest": uploaded.json()["digest"], "because": "a test", "expected": expected}
        pointed = await self.call("publisher", "PUT", f"/v1/channels/{channel}", json=body)
        assert pointed.status_code == 200, pointed.text
        return dict(pointed.json())

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the fields of every such event in the log."""
        lines = [json.loads(line) for line in self.log.read_text(encoding="utf-8").splitlines() if line[:1] == "{"]
        return [line.get("fields", {}) for line in lines if line["message"] == name]


async def cli(made: Ground, *words: str, role: str = "publisher") -> tuple[int, str, str]:
    """Return the exit code, the output and the complaints of a command."""
    command = [sys.executable, "-m", "gateway", *words, "--token-file", str(made.token_file(role))]
    pipe = asyncio.subprocess.PIPE
    proxied = os.environ | {"HTTP_PROXY": "http://127.0.0.1:9"}  # which must not see a token on this machine
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe, env=proxied)
    try:
        out, err = await asyncio.wait_for(process.communicate(), 120)
    finally:
        if process.returncode is None:
            process.kill()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def serving(ground: Ground, *, port: int | None = None, python: str = sys.executable) -> AsyncGenerator[Hub]:
    """Run a hub on this ground; a port lets it come back at the same place."""
    if port is not None:
        settings = json.loads(ground.settings.read_text(encoding="utf-8"))
        settings["listen"]["port"] = port
        ground.settings.write_text(json.dumps(settings), encoding="utf-8")
    log = ground.root / "hub.log"
    with log.open("wb") as file:
        process = _started(ground, file, python)
    hub = Hub(ground, process, log)
    try:
        await until(lambda: _listening(hub), lambda: log.read_text(encoding="utf-8"))
        yield hub
    finally:
        if hub.client is not None:
            await hub.client.aclose()
        await asyncio.to_thread(end, process)


def _started(ground: Ground, file: Any, python: str) -> subprocess.Popen[bytes]:
    command = [python, "-m", "gateway", "hub", "serve", "--config", str(ground.settings)]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)


async def _listening(hub: Hub) -> bool | None:
    if hub.process.poll() is not None:
        raise AssertionError(f"the hub did not start: {hub.log.read_text(encoding='utf-8')}")
    told = hub.events("listening")
    if told:
        hub.url = told[0]["url"]
    return bool(told) or None
