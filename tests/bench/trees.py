"""What processes and those that they started cost: memory that is theirs, and CPU.

Rule 1: memory is the proportional set size: what processes share is divided among them, so that sums are true.
"""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """Return the process and all that descend from it, itself first."""
    children = _children()
    found = [pid]
    for each in found:
        found += children.get(each, [])
    return found


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        fields = _stat(path)
        if fields:
            found.setdefault(int(fields[1]), []).append(int(path.parent.name))
    return found


def _stat(path: Path) -> list[str]:
    """Return the fields after the name; empty where the process has gone."""
    try:
        return path.read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return []


def name(pid: int) -> str:
    """Return what a process of a gateway or a hub is: `opa`, `worker` or `supervisor`."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    if b"gateway.supervisor" in words:
        return "worker"
    return "opa" if words[0].rsplit(b"/", 1)[-1].startswith(b"opa") else "supervisor"


def pss_mb(pid: int) -> float:
    """Return the proportional set size of a process in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1000


def cpu_s(pids: Iterable[int]) -> float:
    """Return the seconds of CPU that these processes have used."""
    used = [_stat(Path(f"/proc/{pid}/stat")) for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in used if each) / _TICKS_PER_S


def wakeups(pids: Iterable[int]) -> int:
    """Return how often these processes have gone to sleep of themselves, over all their threads."""
    total = 0
    for pid in pids:
        for path in Path(f"/proc/{pid}/task").glob("*/status"):
            lines = path.read_text(encoding="ascii").splitlines()
            total += int(next(line for line in lines if line.startswith("voluntary")).split()[1])
    return total


def established(port: int) -> int:
    """Return how many connections this port of ours has."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def load() -> str:
    """Return the load average of the last minute and of the last five."""
    minute, five, _ = os.getloadavg()
    return f"load {minute:.1f}, {five:.1f} at {time.strftime('%H:%M', time.gmtime())}"
