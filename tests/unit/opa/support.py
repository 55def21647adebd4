"""A policy of three lines, signed by a temporary key, and a bundle service that OPA follows by long polling."""

import asyncio
import json
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from gateway.admission.policy_input import (
    AskedMessage,
    Client,
    Context,
    Definition,
    Gateway,
    Item,
    PolicyInput,
    Server,
    Target,
    Time,
)
from gateway.admission.principal import ANONYMOUS
from gateway.artifact.layout import COMBINED_REQUIREMENTS
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import Packed, pack
from gateway.artifact.signing import SigningKey
from gateway.opa.configuration import BundleSource

ROOT: Final = Path(__file__).resolve().parents[3]
TOKEN: Final = "a-token-of-the-bundle-service"

COMBINER: Final = """\
package mcp.admission

import data.mcp.requirements.numbers_are_numbers

_resolved := {"agent": null, "server": null, "action": "unknown", "action_source": "default", "pin": "unseen"}

decision := {
	"schema": "mcp.decision/v1",
	"outcome": "deny",
	"reasons": [{"requirement": "server_is_listed", "message": "not listed", "severity": "high", "remedy": "List it."}],
	"grounds": [],
	"resolved": _resolved,
} if {
	not input.server.id in {"shape", "undefined"}
	numbers_are_numbers.met
}

decision := {"schema": "mcp.decision/v1", "outcome": "perhaps"} if input.server.id == "shape"

listing := {"schema": "mcp.listing/v1", "items": [verdict | some item in input.items; verdict := _verdict(item)]}

_verdict(item) := {"listed": true, "refused_by": []} if item.target.name != "lost"
"""

REQUIREMENT: Final = """\
package mcp.requirements.numbers_are_numbers

met if startswith(input.arguments.word, "w")

met if not input.arguments.word
"""


class Key:
    """A signing key of the moment."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        self.private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        self.public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def bundle(binary: Path, key: Key | None, revision: str, combiner: str = COMBINER) -> bytes:
    """Return the packed policy, signed where a key is given."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        tree = directory / "tree"
        for path, text in {"admission": combiner, "requirements/numbers_are_numbers": REQUIREMENT}.items():
            (tree / "mcp" / path).mkdir(parents=True)
            (tree / "mcp" / path / "policy.rego").write_text(text)
        (tree / ".manifest").write_text(json.dumps({"revision": revision, "roots": ["mcp"], "rego_version": 1}))
        packed = directory / "bundle.tar.gz"
        signing: list[str] = []
        if key is not None:
            (directory / "key.pem").write_text(key.private)
            signing = ["--signing-alg=ES256", f"--signing-key={directory / 'key.pem'}"]
        subprocess.run(  # noqa: PLW1510 - the assertion below shows what OPA says
            [binary, "build", "-b", tree, f"--revision={revision}", *signing, "-o", packed], env={}
        ).check_returncode()
        return packed.read_bytes()


HEEDING = b"""package mcp.admission

heeding if {
	data.mcp.requirements.nothing_is_stopped.met == true
}
"""
"""The manifest of a policy that a gateway follows."""


def packed(key: SigningKey, seq: int) -> Packed:
    """Return the same policy as our own build packs it, with metadata."""
    files = {"admission": COMBINER, "requirements/numbers_are_numbers": REQUIREMENT}
    sources = {f"mcp/{path}/policy.rego": text.encode() for path, text in files.items()} | {
        COMBINED_REQUIREMENTS: HEEDING
    }
    return pack(sources, BundleMetadata(environment="dev", seq=seq), key=key, roots=("mcp",))


class PolicyService:
    """Serves one bundle as OPA wants it: at once when it is new, else held until it changes or the wait is over."""

    def __init__(self, key: Key) -> None:
        self.key = key
        self.body = b""
        self.etag = ""
        self.requests = 0
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def start(self) -> "PolicyService":
        app = web.Application()
        app.router.add_get("/bundles/test", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def stop(self) -> None:
        self._changed.set()
        if self._runner is not None:
            await self._runner.cleanup()

    def publish(self, body: bytes, etag: str) -> None:
        self.body, self.etag = body, etag
        self._changed.set()
        self._changed = asyncio.Event()

    @property
    def source(self) -> BundleSource:
        return BundleSource(
            url=f"http://127.0.0.1:{self.port}",
            resource="bundles/test",
            token=TOKEN,
            keyid="test",
            public_key=self.key.public,
        )

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401)
        changed = self._changed
        if not self.body or request.headers.get("If-None-Match") == self.etag:
            try:
                await asyncio.wait_for(changed.wait(), 20)
            except TimeoutError:
                return web.Response(status=304)
        if not self.body:
            return web.Response(status=503)
        headers = {"ETag": self.etag, "Content-Type": "application/vnd.openpolicyagent.bundles"}
        return web.Response(body=self.body, headers=headers)


class MemoryHighwater:
    """A high-water mark that forgets with its process."""

    def __init__(self, seq: int = 0) -> None:
        self.seqs: dict[str, int] = {}
        self._default = seq

    def seen(self, environment: str) -> int:
        return self.seqs.get(environment, self._default)

    def raise_to(self, environment: str, seq: int) -> None:
        self.seqs[environment] = seq


class Log:
    """Collects reported events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, object]]] = []

    def __call__(self, event: str, /, **fields: object) -> None:
        self.events.append((event, fields))

    def named(self, event: str) -> list[dict[str, object]]:
        return [fields for name, fields in self.events if name == event]


MESSAGE: Final = AskedMessage(method="tools/call", kind="request", revision="2025-11-25", era="legacy")
MOMENT: Final = Time(unix_ns=0, rfc3339="1970-01-01T00:00:00Z", weekday="thursday", hour=0, minute=0, timezone="UTC")
DEFINITION: Final = Definition(sha256="0" * 64, parts={"description": "1" * 64}, annotations={})


def question(server: str = "files", *, items: list[str] | None = None, **arguments: Any) -> PolicyInput:
    """Return a question about a call, or about a list of the named tools."""
    return PolicyInput(
        phase="request" if items is None else "list",
        message=MESSAGE,
        principal=ANONYMOUS,
        client=Client(name="test", version="1"),
        server=Server(id=server),
        target=Target(type="tool", name="write"),
        context=Context(time=MOMENT, source_ip="127.0.0.1", gateway=Gateway(id="g", version="0")),
        definition=DEFINITION,
        arguments=arguments,
        items=[Item(message=MESSAGE, target=Target(type="tool", name=name), definition=None) for name in items or []],
    )


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for a condition, or fail."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)  # noqa: TID251 - the pause between two looks
