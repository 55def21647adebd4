"""Real clients: what a client does with the reference server directly it does through the gateway.

Each program holds its conversation three times: with the server, through a gateway that allows everything, and through
one that refuses a tool.
"""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncGenerator, Generator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from tests import environment
from tests.running import Gateway, catalog, running
from tests.servers.talking import TOOLS, Talker, talking
from tests.zoo.comparison import REASON, differences, unexplained
from tests.zoo.entry import ClientEntry, clients
from tests.zoo.environments import NEEDS, Environment, InstallationError, installed
from tests.zoo.results import Result, keep, version

Said = Mapping[str, Any]
_PATIENCE_S: Final = 240
_OWNED: Final = {"owner": "zoo@example.com"}
_RULES: Final[dict[str, Any]] = {
    "rules": [
        {"rule": "everything", "effect": "allow", "reason": "The zoo allows everything.", **_OWNED},
        {
            "rule": "one-tool-never",
            "effect": "deny",
            "what": {"servers": ["refusing"], "tools": ["forbidden"]},
            "reason": REASON,
            **_OWNED,
        },
    ]
}
_READ: Final = {"action": "read"}
_OFFERED: Final[Mapping[str, Any]] = {
    "tools": dict.fromkeys(TOOLS, _READ),
    "resources": dict.fromkeys(("note://open", "note://closed"), _READ),
    "prompts": {"greet": _READ},
}


def _parameters() -> list[Any]:
    return [
        pytest.param(
            directory,
            entry,
            id=directory.name,
            marks=[
                *(pytest.mark.environment(need) for need in (*NEEDS[entry.ecosystem], *entry.needs)),
                *([pytest.mark.fast] if entry.fast else []),
            ],
        )
        for directory, entry in clients()
    ]


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Generator[Talker]:
    with talking(tmp_path_factory.mktemp("talking") / "journal", _origins()) as running_server:
        yield running_server


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, talker: Talker) -> AsyncGenerator[Gateway]:
    servers = {name: catalog(name, talker.url, **_OFFERED) for name in ("allowed", "refusing")}
    settings: dict[str, Any] = {"listen": {"allowed_origins": _origins()}}
    root = tmp_path_factory.mktemp("clients")
    async with running(root, servers=servers, files={"rules/open.yaml": _RULES}, settings=settings) as started:
        yield started


def _origins() -> list[str]:
    """Return the origins of all entries whose client is a web page."""
    return sorted({origin for _, entry in clients() for origin in entry.allowed_origins})


@pytest.mark.parametrize(("directory", "entry"), _parameters())
async def test_a_client_works_through_the_gateway_as_it_does_directly(
    directory: Path, entry: ClientEntry, gateway: Gateway, talker: Talker, tmp_path: Path
) -> None:
    problem, found, done = "the run did not end", list[Any](), 0
    known = {one.step: one.reason for one in entry.differences}
    try:
        place = _installed(directory)
        said = [
            await asyncio.to_thread(_held, place, entry, url, name, tmp_path / name)
            for url, name in (
                (talker.url, f"{directory.name}-direct"),
                (gateway.url("allowed"), f"{directory.name}-allowed"),
                (gateway.url("refusing"), f"{directory.name}-refusing"),
            )
        ]
        direct, allowed, refusing = said
        done = 2 * len(direct)
        found = differences(direct, allowed) + differences(_refused(direct, refusing), refusing)
        problem = "\n".join([*_missing(entry, direct), *unexplained(found, known)])
        assert not problem, problem
    finally:
        keep(
            Result(
                kind="client",
                name=directory.name,
                title=entry.title,
                package=entry.package,
                version=version(directory, entry),
                done=done,
                equal=done - len(found),
                differences={step: reason for step, reason in known.items() if step in {one.step for one in found}},
                problem=problem,
            )
        )


def _installed(directory: Path) -> Environment:
    try:
        return installed(directory)
    except InstallationError as error:
        environment.note(f"zoo entry {directory.name}", "it could not be installed")
        raise AssertionError(str(error)) from error


def _held(place: Environment, entry: ClientEntry, url: str, name: str, directory: Path) -> Said:
    """Run the program of a client in an empty directory, and return what it printed."""
    directory.mkdir()
    more = {"url": url, "name": name, "mode": entry.mode, "directory": str(directory), "port": ""}
    ended = subprocess.run(
        place.command(entry.command, **more),
        cwd=directory,
        env={
            **os.environ,
            **dict(zip(entry.environment, place.command((*entry.environment.values(),), **more), strict=True)),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, f"{name} ended with {ended.returncode}: {ended.stderr[-3_000:]}"
    printed: Said = json.loads(ended.stdout)
    return printed


def _missing(entry: ClientEntry, direct: Said) -> list[str]:
    """Return which steps of the entry were not done, and which were done that the entry does not name."""
    wrong = sorted(set(entry.steps) ^ set(direct))
    return [f"{step}: the entry and the program do not agree whether it is a step" for step in wrong]


def _refused(direct: Said, refusing: Said) -> Said:
    """Return what the conversation has to be if one tool is refused: it is not listed, and the call says why."""
    wanted = dict(direct)
    if "tools" in wanted:
        wanted["tools"] = [name for name in wanted["tools"] if name != "forbidden"]
    if "denied" in wanted:
        answer: Mapping[str, Any] = refusing.get("denied") or {}
        refused = answer.get("error") is True and REASON in str(answer.get("text"))
        wanted["denied"] = answer if refused else f"a refusal that says: {REASON}"
    return wanted
