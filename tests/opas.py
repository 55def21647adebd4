"""Real OPAs that follow a hub themselves, as those do that no gateway owns: policy and stops, signatures verified.

Rule 1: when something is enforced is read from OPA: `last_successful_activation` of its status, the wall time at which
it activated a bundle; asking for it costs OPA nothing while it works.
"""

import asyncio
import json
import os
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import aiohttp

from gateway.opa.aiohttp_transport import CONNECTIONS, AiohttpTransport
from gateway.opa.binary import find
from tests.hubs import Ground
from tests.running import until

ANSWER: Final = "/v1/data/mcp/admission/answer?provenance=true"
STOPPED: Final = "/v1/data/mcp/admission/stopped"


class Opa:
    """One OPA process."""

    def __init__(self, process: asyncio.subprocess.Process, session: aiohttp.ClientSession) -> None:
        """Take both; made by `following` only."""
        self.process: Final = process
        self._session = session

    async def ask(self, path: str = ANSWER) -> Any:
        """Return what OPA says; None while it does not answer."""
        try:
            async with self._session.get(f"http://opa{path}") as reply:
                return await reply.json()
        except aiohttp.ClientConnectionError:
            return None

    async def answers(self, expected: object, path: str = ANSWER) -> Any:
        """Wait until OPA decides like that, and return all that it said."""

        async def found() -> Any:
            said = await self.ask(path)
            return said if said is not None and said.get("result") == expected else None

        return await until(found, lambda: f"it never said {expected!r}")

    async def status(self, name: str = "policy") -> dict[str, Any]:
        """Return the status of one of its bundles; empty before there is one."""
        said: Any = await self.ask("/v1/status")
        return {} if said is None else dict(said["result"].get("bundles", {}).get(name, {}))

    async def activated(self, revision: str, name: str = "policy") -> float:
        """Wait until a revision is active, and return the wall time since when, in seconds since 1970."""

        async def found() -> float | None:
            status = await self.status(name)
            return moment(status["last_successful_activation"]) if status.get("active_revision") == revision else None

        return float(await until(found, lambda: f"{revision} never became active"))


def moment(text: str) -> float:
    """Return the seconds since 1970 of a time with nanoseconds."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    return datetime.fromisoformat(f"{whole}+00:00").timestamp() + float(f"0.{fraction or 0}")


def configuration(ground: Ground, url: str, *, channel: str, query: str = "") -> dict[str, Any]:
    """Return the configuration of an OPA that follows a channel of the hub and its stops."""
    polling = {"min_delay_seconds": 1, "max_delay_seconds": 2, "long_polling_timeout_seconds": 30}
    service: dict[str, Any] = {"url": url, "credentials": {"bearer": {"token": ground.tokens["gateway"]}}}
    if url.startswith("https"):
        service["tls"] = {"ca_cert": str(ground.root / "tls.crt")}
    keys = {"policy": (ground.key, ""), "emergency": (ground.emergency, "emergency")}
    resources = {"policy": f"bundles/{channel}.tar.gz{query}", "emergency": "bundles/emergency.tar.gz"}
    return {
        "services": {"hub": service},
        "keys": {key.keyid: {"algorithm": "ES256", "key": key.public_pem} for key, _ in keys.values()},
        "bundles": {
            name: {
                "service": "hub",
                "resource": resources[name],
                "polling": polling,
                "signing": {"keyid": key.keyid, "scope": scope},
            }
            for name, (key, scope) in keys.items()
        },
        "status": {"prometheus": True},
    }


@asynccontextmanager
async def following(
    ground: Ground, url: str, *, channel: str = "production", query: str = "", name: str = "opa"
) -> AsyncGenerator[Opa]:
    """Run an OPA that follows the hub at this address."""
    config, socket = ground.root / f"{name}.json", ground.root / f"{name}.sock"
    config.write_text(json.dumps(configuration(ground, url, channel=channel, query=query)), encoding="utf-8")
    binary = find()
    assert binary is not None, "OPA is not on this machine: run `make opa`"
    command = [binary, "run", "--server", f"--addr=unix://{socket}", f"--config-file={config}", "--skip-version-check"]
    process = await asyncio.create_subprocess_exec(*command, "--log-level=error", env={})
    try:
        async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(socket))) as session:
            yield Opa(process, session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        socket.unlink(missing_ok=True)


@asynccontextmanager
async def many(ground: Ground, url: str, count: int) -> AsyncGenerator[list[Opa]]:
    """Run so many OPAs that follow the hub."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(following(ground, url, name=f"opa-{number}")) for number in range(count)]


def sockets_allowed(count: int) -> None:
    """Let this process have so many connections open."""
    import resource  # noqa: PLC0415 - not every system has it

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, hard), hard))


def resident_mb(pid: int) -> float:
    """Return the memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def aiohttp_unix_transport(path: Path, connections: int = CONNECTIONS) -> AiohttpTransport:
    """Return aiohttp's transport over a Unix socket, to compare our own transport with."""
    return AiohttpTransport("http://opa", aiohttp.UnixConnector(path=str(path), limit=connections), {})
