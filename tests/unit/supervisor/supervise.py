"""A supervisor process with a minimal worker: `supervise.py SETTINGS`, one event a line on standard output."""

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import uvloop

from gateway.settings import SettingProblems, load
from gateway.supervisor.supervisor import serve


def report(event: str, /, **fields: object) -> None:
    """Write one event."""
    line = msgspec.json.encode({"event": event, **fields}, enc_hook=str)
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def render(samples: Sequence[bytes]) -> bytes:
    """Write what the workers counted."""
    return b"".join(msgspec.json.encode(msgspec.msgpack.decode(one)) + b"\n" for one in samples)


if __name__ == "__main__":
    settings = load(Path(sys.argv[1]), {})
    if isinstance(settings, SettingProblems):
        sys.exit(str(settings))
    worker = str(Path(__file__).with_name("worker.py"))
    sys.exit(uvloop.run(serve(settings, report=report, render=render, command=(worker,))))
