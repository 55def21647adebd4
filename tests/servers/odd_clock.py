"""A Python whose clock is off: processes that are started with it believe another time than the machine's.

    python = odd_python(tmp_path, 3600)         # an hour ahead; `-3600`: behind
    [python, "-m", "gateway", "serve", ...]     # and whatever Python that starts, with the same clock

Rule 1: only the wall clock is off, as on a machine whose clock was set wrong; what counts seconds is right.
Rule 2: no code of the gateway knows of it: the clock is another before any of it is imported.
"""

import runpy
import sys
import time
from pathlib import Path


def odd_python(directory: Path, seconds: int) -> str:
    """Write a program that is a Python with such a clock, and return its path."""
    path = directory / f"python{seconds:+d}"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" "$0" {seconds} "$@"\n', encoding="ascii")
    path.chmod(0o755)
    return str(path)


def _run(python: str, seconds: int, words: list[str]) -> None:
    right, right_ns = time.time, time.time_ns
    time.time = lambda: right() + seconds
    time.time_ns = lambda: right_ns() + seconds * 1_000_000_000
    sys.executable = python
    while words[0] in {"-I", "-P", "-S"}:
        words.pop(0)
    if words[0] == "-m":
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


if __name__ == "__main__":
    _run(sys.argv[1], int(sys.argv[2]), sys.argv[3:])
