"""A running supervisor for tests: its process, its events, its two listeners."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp
import msgspec

ROOT = Path(__file__).resolve().parents[3]


def about(pid: int, what: str) -> bytes:
    """Return the kernel's state of a process; empty if there is none."""
    try:
        return Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def alive(pid: int) -> bool:
    """Return whether a process runs; a zombie does not."""
    state = about(pid, "stat").rpartition(b")")[2].split()
    return bool(state) and state[0] not in {b"Z", b"X"}


class Supervisor:
    """A running `supervise.py` with these settings."""

    def __init__(
        self, directory: Path, settings: Mapping[str, Any], environment: Mapping[str, str] | None = None
    ) -> None:
        self._file = directory / "settings.json.yaml"
        base: dict[str, Any] = {
            "listen": {"port": 0, "drain_s": 3},
            "admin": {"port": 0},
            "opa": {"managed": False, "url": "http://127.0.0.1:1"},
            "workers": 2,
        }
        self._file.write_bytes(msgspec.json.encode(base | dict(settings)))
        self._environment = dict(environment or {})
        self.events: list[dict[str, Any]] = []
        self.process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._arrived = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            Path(__file__).with_name("supervise.py"),
            self._file,
            stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | self._environment,
        )
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        if self._reading is not None:
            await self._reading
        if self._session is not None:
            await self._session.close()

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def named(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.events if one["event"] == event]

    async def event(self, name: str, count: int = 1) -> dict[str, Any]:
        """Return the last of `count` events of this name, once there are as many."""
        async with asyncio.timeout(45):
            while len(self.named(name)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.named(name)[count - 1]

    async def call(self, path: str = "/", **options: Any) -> dict[str, Any]:
        """Return a worker's response, over a new connection."""
        url = (await self.event("listening"))["url"]
        return msgspec.json.decode((await self.ask(url + path, **options))[1])

    async def attempt(self, path: str) -> dict[str, Any] | None:
        """Return a worker's response; None if the call is cut off."""
        try:
            return await self.call(path)
        except (aiohttp.ClientError, OSError, msgspec.DecodeError):
            return None

    async def admin(self, path: str) -> tuple[int, bytes]:
        return await self.ask((await self.event("listening"))["admin"] + path)

    async def ask(self, url: str, **options: Any) -> tuple[int, bytes]:
        assert self._session is not None
        timeout = aiohttp.ClientTimeout(total=30)
        async with self._session.get(url, headers={"Connection": "close"}, timeout=timeout, **options) as response:
            return response.status, await response.read()

    async def ready(self) -> dict[str, Any]:
        """Return the body of `/readyz` once the gateway is ready."""
        async with asyncio.timeout(45):
            while True:
                status, body = await self.admin("/readyz")
                if status == 200:
                    return msgspec.json.decode(body)

    async def answering(self, pids: set[int]) -> set[int]:
        """Return who answers calls, once all of these have: which worker takes a connection is the kernel's choice."""
        found: set[int] = set()
        async with asyncio.timeout(45):
            while not found >= pids:
                found.add((await self.call())["pid"])
        return found

    async def worker_pids(self) -> set[int]:
        await self.ready()
        last = {event["worker"]: event["pid"] for event in self.named("worker_started")}
        return set(last.values())

    async def ended(self, number: signal.Signals | None = None) -> int:
        """Return the exit code, after a signal if one is given."""
        assert self.process is not None
        if number is not None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 45)

    async def _read(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.events.append(msgspec.json.decode(line))
            self._arrived.set()
