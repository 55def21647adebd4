"""Following bundles without a hub, as bundles/README.md tells it: from object stores, S3, Google, OCI registries."""

import io
import re
import ssl
import subprocess
import sys
import tarfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest
from msgspec import Struct

from gateway.admission.decision import Verdict
from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.pack import archived
from gateway.artifact.signing import read_key
from gateway.opa.aiohttp_transport import remote_exchange
from gateway.opa.client import OpaClient
from gateway.opa.opa_status import BundleStatus, RemoteOpaStatus
from tests.contract.recipes import Key, Recipe, blocks, free_port, opa_of, read, replaced
from tests.faults.wire import META, MODERN
from tests.running import Gateway, catalog, running, until, write_environment
from tests.servers.fixtures import recorder, recording_process
from tests.servers.recording import Recorder
from tests.servers.stores import TARBALL, ObjectStore, Store, gcs, registry, s3, serving
from tests.unit.opa.support import MemoryHighwater, question

__all__ = ["recorder", "recording_process"]
STORES: Final = {"s3": s3, "gcs": gcs, "registry": registry}
ENVIRONMENT: Final = "production"
PATIENT: Final = {"deadline_ms": 2_000}
"""A busy machine is not what these tests are about."""
REFUSED: Final = {
    "changed": "digest mismatch",
    "unsigned": "missing .signatures.json",
    "another key": "verif",
    "another scope": "scope mismatch",
}
"""What OPA says of a bundle that it does not take."""
CLOSED: Final = (
    ("GET", "/v1/policies"),
    ("GET", "/v1/data"),
    ("PUT", "/v1/data/mcp"),
    ("POST", "/v1/query"),
    ("GET", "/metrics"),
    ("GET", "/v1/data/mcp/admission/decision"),
)
"""What no gateway asks of an OPA."""


class Made(Struct, frozen=True):
    """Bundles that our commands built and signed, by name, and the key that verifies them."""

    key: Key
    bundles: dict[str, bytes]

    def revision(self, name: str) -> str:
        artifact = read_artifact(self.bundles[name])
        assert isinstance(artifact, Artifact)
        return artifact.revision


def ran(directory: Path, *words: str) -> str:
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True, timeout=120).stdout


def changed(content: bytes, path: str, more: bytes | None) -> bytes:
    """The archive with bytes added to a file; without the file for None."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(fileobj=out, mode="w:gz") as new:
        for member in old.getmembers():
            found = old.extractfile(member)
            assert found is not None
            body = found.read()
            if member.name.lstrip("/") == path:
                if more is None:
                    continue
                body += more
            member.size = len(body)
            new.addfile(member, io.BytesIO(body))
        assert any(name.lstrip("/") == path for name in old.getnames())
    return out.getvalue()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, recording_process: Recorder) -> Made:
    root = tmp_path_factory.mktemp("release")
    entry = catalog("notes", recording_process.url, tools={"echo": {"action": "read"}})
    write_environment(root / "bundles" / ENVIRONMENT, {"notes": entry}, None, ENVIRONMENT)
    for name in ("policy.pem", "other.pem"):
        ran(root, "hub", "key", name)
    bundles: dict[str, bytes] = {}
    keyid = ""
    for number in ("1", "2"):
        ran(root, "bundle", "build", ENVIRONMENT, "--sequence", number, "--output", f"{number}.tar.gz")
        keyid = ran(root, "bundle", "sign", f"{number}.tar.gz", "--key-file", "policy.pem").strip()
        bundles[number] = (root / f"{number}.tar.gz").read_bytes()
    ran(root, "bundle", "sign", "2.tar.gz", "--key-file", "other.pem", "--replace", "--output", "other.tar.gz")
    artifact = read_artifact(bundles["2"])
    assert isinstance(artifact, Artifact)
    bundles["another key"] = (root / "other.tar.gz").read_bytes()
    bundles["changed"] = changed(bundles["2"], "mcp/requirements/rules_permit/rules_permit.rego", b"\n# and more\n")
    bundles["unsigned"] = changed(bundles["2"], ".signatures.json", None)
    stops_scope = archived(artifact.files, read_key((root / "policy.pem").read_bytes()), scope="emergency")
    bundles["another scope"] = stops_scope
    return Made(Key(keyid, (root / "policy.pub.pem").read_text()), bundles)


class Followed(Struct):
    """An OPA of the recipe, the store that it reads, and what a gateway asks it."""

    store: Store
    recipe: Recipe
    client: OpaClient
    vitals: RemoteOpaStatus

    async def decided(self) -> str:
        """The revision that decides; empty where nothing does."""
        outcome = await self.client.decide(question())
        return outcome.revision if isinstance(outcome, Verdict) else ""

    async def decides(self, revision: str) -> None:
        """Wait until a revision decides."""
        last = ""

        async def found() -> bool | None:
            nonlocal last
            last = await self.decided()
            return True if last == revision else None

        await until(found, lambda: f"{last!r} decides, not {revision}: {(self.recipe.directory / 'log').read_text()}")

    async def status(self, words: str) -> BundleStatus:
        """Wait until OPA says these words of its bundle."""
        last: BundleStatus | None = None

        async def found() -> BundleStatus | None:
            nonlocal last
            last = await self.vitals.status()
            return last if last is not None and re.search(words, f"{last.code} {last.message}") else None

        return await until(found, lambda: f"OPA never said {words!r}: {last}")

    async def confirmed_again(self) -> None:
        """Wait until OPA was told that there is nothing newer, and says so: else its policy would grow stale."""
        status = await self.vitals.status()
        told, before = "" if status is None else status.last_successful_request, self.store.unchanged

        async def found() -> bool | None:
            now = await self.vitals.status()
            confirmed = now is not None and now.last_successful_request > told
            return True if confirmed and self.store.unchanged > before else None

        await until(found, lambda: f"it never asked again: {self.store.asked}")


@asynccontextmanager
async def following(store: Store, recipe: Recipe, opa: Path) -> AsyncGenerator[Followed]:
    """The OPA of a recipe that was written, asked as a gateway asks it."""
    async with opa_of(recipe, opa):
        client = OpaClient(remote_exchange(recipe.remote), MemoryHighwater(), ids=lambda: "d")
        vitals = RemoteOpaStatus(recipe.remote)
        try:
            yield Followed(store, recipe, client, vitals)
        finally:
            await client.close()
            await vitals.close()


@pytest.mark.parametrize("service", STORES)
async def test_opa_takes_what_our_key_signed_and_nothing_else(
    service: str, made: Made, opa: Path, tmp_path: Path
) -> None:
    recipe = Recipe(tmp_path, free_port())
    async with serving(STORES[service]()) as store:
        recipe.write(service, store, made.key)
        async with following(store, recipe, opa) as followed:
            for name, words in REFUSED.items():
                store.put(made.bundles[name])
                await followed.status(words)
                assert await followed.decided() == "", name
            store.put(made.bundles["1"])
            await followed.decides(made.revision("1"))
            store.put(made.bundles["changed"])
            await followed.status("digest mismatch")
            assert await followed.decided() == made.revision("1")
            store.put(made.bundles["2"])
            await followed.decides(made.revision("2"))
            await followed.confirmed_again()
    async with following(store, recipe, opa) as restarted:  # while nothing answers where the bundle comes from
        await restarted.decides(made.revision("2"))


async def test_a_layer_of_another_media_type_is_no_bundle(made: Made, opa: Path, tmp_path: Path) -> None:
    (push,) = [block for block in blocks("sh") if block.startswith("oras push")]
    assert push.strip().endswith(f"bundle.tar.gz:{TARBALL}")
    recipe = Recipe(tmp_path, free_port())
    async with serving(registry()) as store:
        store.put(made.bundles["1"])
        store.layer = "application/gzip"
        recipe.write("registry", store, made.key)
        async with following(store, recipe, opa) as followed:
            await followed.status("no tarball descriptor")
            assert await followed.decided() == ""
            store.layer = TARBALL
            await followed.decides(made.revision("1"))


async def test_a_gateway_uses_it_with_the_settings_of_the_recipe_and_may_ask_nothing_else(
    made: Made, opa: Path, tmp_path: Path, recorder: Recorder
) -> None:
    recipe = Recipe(tmp_path / "opa", free_port())
    async with serving(registry()) as store:
        store.put(made.bundles["1"])
        recipe.write("registry", store, made.key)
        settings = {"opa": recipe.settings | PATIENT}
        async with opa_of(recipe, opa), running(tmp_path, servers={}, settings=settings) as gateway:
            assert await gateway.revision() == made.revision("1")
            await echoed(gateway)
            store.put(made.bundles["2"])
            assert await gateway.enforced_after(made.revision("1")) == made.revision("2")
            await nothing_else(recipe)
    assert len(recorder.calls("tools/call")) == 1


async def nothing_else(recipe: Recipe) -> None:
    """The OPA of the recipe refuses a stranger everything, and the gateway what it has no need of."""
    remote = recipe.remote
    verify = ssl.create_default_context(cafile=remote.ca_file)
    async with httpx.AsyncClient(base_url=remote.url, verify=verify) as client:
        known = {"Authorization": f"Bearer {remote.token}"}
        for method, path in CLOSED:
            assert (await client.request(method, path, headers=known)).status_code in {401, 403}, path
        for headers in (None, {"Authorization": "Bearer guessed"}):
            assert (await client.get("/v1/status", headers=headers)).status_code in {401, 403}
        assert (await client.get("/v1/status", headers=known)).status_code == 200


async def test_a_gateway_follows_any_service_that_has_the_file_and_an_etag(
    made: Made, tmp_path: Path, recorder: Recorder
) -> None:
    async with serving(ObjectStore("/production/bundle.tar.gz")) as store:
        store.put(made.bundles["1"])
        (tmp_path / "policy.pub.pem").write_text(made.key.pem)
        changes = {"https://policies.example.com": store.url, "policy.pub.pem": str(tmp_path / "policy.pub.pem")}
        settings = read(replaced(blocks("yaml")[0], changes)) | {"opa": PATIENT}
        async with running(tmp_path, servers={}, settings=settings) as gateway:
            assert await gateway.revision() == made.revision("1")
            await echoed(gateway)
            store.put(made.bundles["changed"])
            await refused(gateway)
            assert await gateway.revision() == made.revision("1")
            store.put(made.bundles["2"])
            assert await gateway.enforced_after(made.revision("1")) == made.revision("2")
            before = store.unchanged
            await until(lambda: unchanged(store, before + 1), lambda: "it never asked whether there is anything newer")
    assert len(recorder.calls("tools/call")) == 1


async def unchanged(store: Store, count: int) -> bool | None:
    return True if store.unchanged >= count else None


async def refused(gateway: Gateway) -> None:
    """Wait until the gateway says that what is there may not be enforced."""

    async def found() -> bool | None:
        return True if any(record["event"] == "rejected" for record in gateway.records("policy")) else None

    await until(found, lambda: f"nothing was refused: {gateway.records('policy')}")


async def echoed(gateway: Gateway) -> None:
    """Call a tool through the gateway, which must allow it."""
    params = {"name": "echo", "arguments": {"text": "x"}, "_meta": META}
    async with httpx.AsyncClient(timeout=30) as client:
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        names = {"MCP-Protocol-Version": MODERN, "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
        headers = {"Accept": "application/json, text/event-stream", **names}
        answer = await client.post(gateway.url("notes"), json=body, headers=headers)
    assert answer.status_code == 200
    assert '"isError":true' not in answer.text.replace(" ", ""), answer.text
