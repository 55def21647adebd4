"""The recipes of bundles/README.md as they are written there, run with the real OPA; only addresses and paths differ.

Rule 1: what names a machine or a path is replaced where it stands; what the text does not have cannot be replaced.
"""

import asyncio
import contextlib
import json
import re
import shlex
import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from ruamel.yaml import YAML

from gateway.opa.aiohttp_transport import RemoteOpa
from tests.servers.stores import LOGIN, Store
from tests.unit.supervisor.certificates import write_certificate

_README: Final = Path(__file__).resolve().parents[2] / "bundles" / "README.md"
_SECTION: Final = _README.read_text(encoding="utf-8").partition("## Publishing without a hub\n")[2]
SECRET: Final = "the-token-of-the-gateway"
URLS: Final = {
    "s3": "https://policies.s3.eu-central-1.amazonaws.com",
    "gcs": "https://storage.googleapis.com",
    "registry": "https://registry.example.com",
}
AWS: Final = {"AWS_ACCESS_KEY_ID": "AKTEST", "AWS_SECRET_ACCESS_KEY": "of nobody", "AWS_REGION": "eu-central-1"}


def blocks(language: str) -> list[str]:
    """The blocks of a language in the section, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", _SECTION, re.MULTILINE | re.DOTALL)


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """The text with other addresses; each must be there."""
    for old, new in changes.items():
        assert old in text, f"the recipe has no {old!r}"
        text = text.replace(old, new)
    return text


def read(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)  # pyright: ignore[reportUnknownMemberType]


def chosen(text: str, service: str) -> str:
    """The recipe for a service: its two lines instead of the ones that are not commented out."""
    pairs = dict(re.findall(r"^    (?:# )?service: (\w+)\n    (?:# )?resource: (\S+)$", text, re.MULTILINE))
    assert set(pairs) == set(URLS)
    text = re.sub(r"^    # (?:service|resource): .*\n", "", text, flags=re.MULTILINE)
    return re.sub(r"service: \w+\n    resource: \S+", f"service: {service}\n    resource: {pairs[service]}", text)


class Key(Struct, frozen=True):
    """A public key as the recipe names it."""

    keyid: str
    pem: str


class Recipe(Struct, frozen=True):
    """An OPA as the recipe runs it, in a directory of its own, and how a gateway reaches it."""

    directory: Path
    port: int

    @property
    def settings(self) -> dict[str, Any]:
        """The section `opa` of the gateway's settings."""
        text = replaced(blocks("yaml")[2], {"https://127.0.0.1:8181": f"https://127.0.0.1:{self.port}"})
        said = dict(read(text)["opa"])
        return said | {name: str(self.directory / said[name]) for name in ("token_file", "ca_file")}

    @property
    def remote(self) -> RemoteOpa:
        said = self.settings
        return RemoteOpa(url=said["url"], token=Path(said["token_file"]).read_text().strip(), ca_file=said["ca_file"])

    def command(self, binary: Path) -> list[str]:
        """The command line of the recipe."""
        text = blocks("sh")[1].replace("\\\n", " ")
        words = shlex.split(replaced(text, {"127.0.0.1:8181": f"127.0.0.1:{self.port}"}))
        assert words[0] == "opa"
        return [str(binary), *words[1:], "--log-level=error"]

    def write(self, service: str, store: Store, key: Key) -> None:
        """Write every file that the command names."""
        directory = self.directory
        (directory / "secrets").mkdir(parents=True)
        (directory / "secrets" / "opa").write_text(f"{SECRET}\n")
        (directory / "authz.rego").write_text(blocks("rego")[0])
        (directory / "registry").write_text(LOGIN)
        write_certificate(directory / "opa.crt", directory / "opa.key", "opa")
        changes = {
            URLS[service]: store.url,
            "/etc/opa/registry": str(directory / "registry"),
            "/var/lib/opa": str(directory / "kept"),
            "0f2c4e6a8b1d3f50": key.keyid,
            '"-----BEGIN PUBLIC KEY-----\\n..."': json.dumps(key.pem),
        }
        config = read(replaced(chosen(blocks("yaml")[1], service), changes))
        if service == "gcs":  # where Google's machines have it; any other machine is told
            config["services"]["gcs"]["credentials"]["gcp_metadata"]["endpoint"] = store.url
        (directory / "opa.yaml").write_text(json.dumps(config))


@asynccontextmanager
async def opa_of(recipe: Recipe, binary: Path) -> AsyncGenerator[None]:
    """Run the OPA of a recipe that was written."""
    log = recipe.directory / "log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *recipe.command(binary), cwd=recipe.directory, env=AWS, stdout=file, stderr=file
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
