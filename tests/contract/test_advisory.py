"""GHSA-g2pf-6v5v-qcc8 against the pinned OPA, started and configured as the gateway starts it.

Both attacks need a bundle service that an attacker can write to: one serves the signed bundle stripped of its
signature, the other an unsigned delta over the signed snapshot. The old revision keeps deciding.
"""

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from gateway.artifact.artifact import Artifact, read_artifact
from gateway.artifact.manifest import BundleMetadata
from gateway.artifact.pack import archived, canonical, pack
from gateway.artifact.rejection import Rejected
from gateway.artifact.signing import SigningKey, ephemeral_key
from gateway.opa.configuration import BundleSource, configuration
from tests.contract.following import following, until

POLICY: Final = b"package mcp.admission\n\ndecision := data.own.answer\n"
KEY: Final = ephemeral_key()


def bundle(answer: str, seq: int, key: SigningKey | None = KEY) -> bytes:
    files = {"mcp/admission/x.rego": POLICY, "data.json": canonical({"own": {"answer": answer}})}
    return pack(files, BundleMetadata(environment="dev", seq=seq), key=key).content


def stripped(content: bytes) -> bytes:
    """A signed bundle with other data and without its signature."""
    read = read_artifact(content)
    assert isinstance(read, Artifact)
    return archived({**read.files, "data.json": canonical({"own": {"answer": "forged"}})}, None)


def delta(revision: str) -> bytes:
    """An unsigned delta bundle that replaces the answer."""
    patch = {"data": [{"op": "replace", "path": "/own/answer", "value": "forged"}]}
    manifest = {"revision": revision, "roots": ["mcp", "own"]}
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, value in {"/.manifest": manifest, "/patch.json": patch}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(orjson.dumps(value))
            archive.addfile(entry, io.BytesIO(orjson.dumps(value)))
    return gzip.compress(plain.getvalue())


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(lambda: stripped(bundle("first", 1)), id="a bundle stripped of its signature"),
        pytest.param(lambda: bundle("forged", 2, None), id="a bundle that never had one"),
        pytest.param(lambda: delta("dev@000000000000.2"), id="an unsigned delta over the signed snapshot"),
    ],
)
async def test_the_old_revision_keeps_deciding(opa: Path, tmp_path: Path, attack: Callable[[], bytes]) -> None:
    async with following(opa, KEY, tmp_path) as policy:
        policy.put(bundle("first", 1), "1")
        first = await until(policy.decides, lambda answer: answer[0] == "first")
        policy.put(attack(), "2")
        status = await until(policy.status, lambda status: bool(status.get("errors") or status.get("code")))
        assert status["code"] == "bundle_error"
        assert status["active_revision"] == first[1]
        assert await policy.decides() == first
        policy.put(bundle("third", 3), "3")
        assert (await until(policy.decides, lambda answer: answer[0] == "third"))[1].endswith(".3")
        assert "code" not in await until(policy.status, lambda status: "code" not in status)


async def test_before_the_first_bundle_neither_attack_decides_anything(opa: Path, tmp_path: Path) -> None:
    async with following(opa, KEY, tmp_path) as policy:
        for number, content in enumerate((delta("dev@000000000000.2"), stripped(bundle("first", 1)))):
            policy.put(content, str(number))
            status = await until(policy.status, lambda status: bool(status.get("code")))
            assert not status.get("active_revision")
            assert await policy.decides() == (None, "")
        policy.put(bundle("third", 3), "3")
        answers: list[Any] = []

        async def asked() -> Any:
            answers.append((await policy.decides())[0])
            return answers[-1]

        await until(asked, lambda answer: answer == "third")
        assert set(answers) <= {None, "third"}


def test_the_key_id_is_set_whatever_the_source_is() -> None:
    source = BundleSource(url="https://hub", resource="x", keyid="policy", public_key=KEY.public_pem)
    bundles = configuration(source)["bundles"]
    assert bundles
    assert all(each["signing"]["keyid"] for each in bundles.values())


@pytest.mark.parametrize(
    ("content", "code"), [(delta("dev@000000000000.2"), "bundle_delta"), (stripped(bundle("first", 1)), None)]
)
def test_the_gateway_itself_takes_neither(content: bytes, code: str | None) -> None:
    read = read_artifact(content)
    assert isinstance(read, Rejected)
    assert code in {None, read.code}
