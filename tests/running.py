"""A whole gateway as a process, over a policy directory that a test may edit.

Rule 1: it is started as a user starts it, `mcp-admission serve --config FILE`, and ended by its process id.
Rule 2: what is waited for is a condition with a deadline; nothing sleeps for a guess.

    async with running(tmp_path, servers={"demo": url}) as gateway:
        async with Client(gateway.url("demo")) as client: ...
        gateway.save("rules/own.yaml", {"rules": [...]})
        await gateway.enforced_after(revision)
"""

import asyncio
import json
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any, Final

import httpx

from gateway.journal.reader import read
from gateway.journal.record_expander import Expander
from gateway.policy.sources.document import MAX_BYTES
from tests.verification import shared_verification

DEADLINE_S: Final = 60.0
_TICK_S: Final = 0.05
_PATIENT: Final[Mapping[str, Any]] = {"opa": {"deadline_ms": 2_000}, "lists": {"deadline_ms": 2_000}}
"""A decision that is late on a busy machine is no refusal, except where a test is about just that."""

_UNENCRYPTED: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""No client need read the authorities of this machine, 17 ms each time, to ask a listener that has no TLS."""

OPEN: Final[Mapping[str, Any]] = {
    "rules": [{"rule": "everything", "effect": "allow", "reason": "a test", "owner": "test@example.com"}]
}
"""Rules that allow everything."""
ANYONE: Final[Mapping[str, Any]] = {
    "agent": "anyone",
    "owner": "test@example.com",
    "purpose": "tests",
    "kind": "test",
    "anonymous": True,
}
"""The agent of callers without a credential."""


class Gateway:
    """A running gateway process."""

    def __init__(self, root: Path, process: subprocess.Popen[bytes], environment: str) -> None:
        """Take the directory that holds everything of it; made by `running` only."""
        self.root: Final = root
        self.process: Final = process
        self.policy: Final = root / "policy" / "bundles" / environment
        self.journal: Final = root / "state" / "journal"
        self.log: Final = root / "log"
        self.origin = ""
        self.admin = ""

    def url(self, server: str) -> str:
        """Return where clients reach a server through the gateway."""
        return f"{self.origin}/servers/{server}/mcp"

    def save(self, name: str, content: Mapping[str, Any]) -> None:
        """Write a file of the environment, as an editor does: complete or not at all."""
        path = self.policy / name
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}~")
        scratch.write_text(json.dumps(content, indent=2), encoding="utf-8")
        scratch.replace(path)

    async def readiness(self) -> dict[str, Any]:
        """Return what `/readyz` says; empty while nothing answers."""
        try:
            async with httpx.AsyncClient(verify=_UNENCRYPTED) as client:
                return dict((await client.get(f"{self.admin}/readyz", timeout=5)).json())
        except (httpx.HTTPError, ValueError):
            return {}

    async def ready(self) -> dict[str, Any]:
        """Wait until the gateway is ready, and return what it says."""

        async def found() -> dict[str, Any] | None:
            if self.process.poll() is not None:
                raise AssertionError(f"the gateway ended: {self.log.read_text(encoding='utf-8')}")
            told = await self.readiness()
            return told if told.get("ready") else None

        return await until(found, lambda: f"not ready: {self.log.read_text(encoding='utf-8')[-4000:]}")

    async def revision(self) -> str:
        """Return the revision that the first worker enforces."""
        told = await self.readiness()
        return str(told["workers"][0]["revision"]) if told.get("workers") else ""

    async def enforced_after(self, revision: str) -> str:
        """Wait until another revision than `revision` is enforced, and return it."""

        async def changed() -> str | None:
            now = await self.revision()
            return now if now not in {"", revision} else None

        return await until(changed, lambda: f"still {revision}: {self.log.read_text(encoding='utf-8')[-4000:]}")

    def records(self, kind: str = "") -> list[dict[str, Any]]:
        """Return the journal's records of a kind, in order, each whole."""
        whole = Expander().expanded(read(self.journal))
        return [dict(record) for record in whole if not kind or record["kind"] == kind]


async def until(found: Callable[[], Awaitable[Any]], why: Callable[[], str], *, deadline_s: float = DEADLINE_S) -> Any:
    """Return the first result of `found` that is not null; fail with `why` at the deadline."""
    loop = asyncio.get_running_loop()
    end = loop.time() + deadline_s
    while loop.time() < end:
        result = await found()
        if result is not None:
            return result
        await asyncio.sleep(_TICK_S)  # noqa: TID251 - the rhythm in which a condition is looked at
    raise AssertionError(why())


@asynccontextmanager
async def running(
    root: Path,
    *,
    servers: Mapping[str, str | Mapping[str, Any]],
    files: Mapping[str, Mapping[str, Any]] | None = None,
    settings: Mapping[str, Any] | None = None,
    environment: str = "test",
    ready: bool = True,
    python: str = sys.executable,
) -> AsyncGenerator[Gateway]:
    """Run a gateway before `servers` (a URL, or a whole catalog entry, by id); by default everything is allowed.

    `files` are files of the environment, by name below it; `settings` are merged over those of this machine alone.
    Without `ready` it is not waited for: the gateway listens, and a test looks at what it lacks.
    """
    wanted = _settings(root, settings or {}, environment)
    (root / "settings.yaml").write_text(json.dumps(wanted, indent=2), encoding="utf-8")
    with shared_verification(root / "state"):
        with (root / "log").open("wb") as log:
            command = [python, "-m", "gateway", "serve", "--config", str(root / "settings.yaml")]
            write_environment(root / "policy" / "bundles" / environment, servers, files, environment)
            process = _started(command, log)
        gateway = Gateway(root, process, environment)
        try:
            await until(lambda: _listening(gateway), lambda: gateway.log.read_text(encoding="utf-8"))
            if ready:
                await gateway.ready()
            yield gateway
        finally:
            await asyncio.to_thread(end, process)


def _started(command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started, by its id: gently, then at once."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _settings(root: Path, changes: Mapping[str, Any], environment: str) -> dict[str, Any]:
    base: dict[str, Any] = {
        "listen": {"port": 0, "drain_s": 2},
        "admin": {"port": 0},
        "policy": {"directory": str(root / "policy"), "environment": environment},
        "state": {"directory": str(root / "state")},
        "secrets": {"directory": str(root / "secrets")},
        "identity": {"anonymous": True},
        "journal": {"masking": "full"},
        **_PATIENT,
    }
    for section, values in changes.items():
        base[section] = {**base.get(section, {}), **values} if isinstance(values, Mapping) else values
    return base


def write_environment(
    directory: Path,
    servers: Mapping[str, str | Mapping[str, Any]],
    files: Mapping[str, Mapping[str, Any]] | None,
    environment: str,
) -> None:
    """Write the files of an environment; those of `files` go before the open ones of the same name."""
    content: dict[str, Mapping[str, Any]] = {
        "environment.yaml": {
            "name": environment,
            "default": "deny",
            "definition_drift": dict.fromkeys(("description", "schema", "annotations", "added", "removed"), "allow"),
        },
        "rules/open.yaml": OPEN,
        "agents/anyone.yaml": ANYONE,
    }
    for name, server in servers.items():
        content[f"catalog/{name}.yaml"] = server if isinstance(server, Mapping) else catalog(name, server)
    content.update(files or {})
    for name, data in content.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_json(data), encoding="utf-8")


def _json(data: Mapping[str, Any]) -> str:
    """Return readable JSON, or short JSON if the readable one is longer than a file of a policy may be."""
    text = json.dumps(data, indent=2)
    return text if len(text) <= MAX_BYTES else json.dumps(data)


def catalog(name: str, url: str, **more: Any) -> dict[str, Any]:
    """Return a catalog entry in which a server may be asked and may ask for everything."""
    return {
        "server": name,
        "title": name,
        "url": url,
        "owner": "test@example.com",
        "trust": "low",
        "environment": "test",
        "server_requests": ["sampling/createMessage", "elicitation/create", "roots/list"],
        **more,
    }


async def _listening(gateway: Gateway) -> bool | None:
    for line in gateway.log.read_text(encoding="utf-8").splitlines():
        if '"listening"' in line:
            fields = json.loads(line)["fields"]
            gateway.origin, gateway.admin = fields["url"], fields["admin"]
            return True
    if gateway.process.poll() is not None:
        raise AssertionError(f"the gateway did not start: {gateway.log.read_text(encoding='utf-8')}")
    return None
