"""The hub's settings: complete, or all errors at once with file and line."""

import textwrap
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from gateway.hub.settings import HubSettings, load
from gateway.settings import SettingProblems
from tests.hubs import ground

TOKEN = f'- {{name: ci, roles: [publisher], sha256: "{"0" * 64}"}}'


def written(root: Path, text: str) -> Path:
    ground(root)
    path = root / "hub.yaml"
    path.write_text(textwrap.dedent(text).lstrip("\n"))
    return path


def problems(root: Path, text: str) -> list[str]:
    found = load(written(root, text))
    assert isinstance(found, SettingProblems), found
    return [str(problem).replace(str(root) + "/", "") for problem in found.items]


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    found = load(ground(tmp_path).settings)
    assert isinstance(found, HubSettings)
    assert found.directory == tmp_path / "hub"
    assert [caller.name for caller in found.callers] == ["the-publisher", "the-responder", "the-gateway", "the-reader"]
    assert found.keys[0].keyid == ground(tmp_path).key.keyid or len(found.keys[0].keyid) == 16
    assert found.emergency_key is not None


def test_all_errors_are_reported_at_once_with_their_lines(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
        directry: x
        listen: {port: 70000}
        tokens:
          - {name: CI, roles: [admin], sha256: x}
        """,
    )
    assert [line.split(": ")[0] for line in found].count("hub.yaml:1") == 2
    text = "\n".join(found)
    for expected in ("directry: is not a setting. Did you mean `directory`?", "directory: is missing", "listen.port"):
        assert expected in text
    for expected in ("hub.yaml:4: tokens[0].name", "hub.yaml:4: tokens[0].roles", "hub.yaml:4: tokens[0].sha256"):
        assert expected in text


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("keys: []", "keys: is missing: no bundle could be accepted"),
        ("keys: [{file: nothing.pem}]", "keys[0].file: "),
        ("keys: [{file: eddsa.pem}]", "OPA verifies ES*, RS* and PS* only, not EdDSA"),
        ("keys: [{file: release.pub.pem}]\nemergency_key: release.pub.pem", "emergency_key: "),
        ("keys: [{file: release.pub.pem}]\nlisten: {host: 0.0.0.0}", "tokens would cross the network unencrypted"),
    ],
)
def test_unsafe_or_useless_settings_are_errors(tmp_path: Path, more: str, said: str) -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "eddsa.pem").write_bytes(public.public_bytes(*form))
    (problem,) = problems(tmp_path, f"directory: hub\ntokens:\n  {TOKEN}\n{more}\n")
    assert said in problem
    assert problem.startswith("hub.yaml:")


@pytest.mark.parametrize("written", ["a*b", "*a", "", "a" * 129])
def test_the_name_of_a_gateway_has_its_star_at_the_end_or_none(tmp_path: Path, written: str) -> None:
    token = f'- {{name: eu, roles: [gateway], gateways: ["{written}"], sha256: "{"0" * 64}"}}'
    (found,) = problems(tmp_path, f"directory: hub\nkeys: [{{file: release.pub.pem}}]\ntokens:\n  {token}\n")
    assert found.startswith("hub.yaml:4: tokens[0].gateways")


@pytest.mark.parametrize("written", ["soon", "2027-13-01T00:00:00Z", "2027-01-01", "2027-01-01T00:00:00+01:00", ""])
def test_the_end_of_a_token_is_a_time_in_utc(tmp_path: Path, written: str) -> None:
    token = f'- {{name: ci, roles: [publisher], expires: "{written}", sha256: "{"0" * 64}"}}'
    (found,) = problems(tmp_path, f"directory: hub\nkeys: [{{file: release.pub.pem}}]\ntokens:\n  {token}\n")
    assert found.startswith(f"hub.yaml:4: tokens[0].expires: `{written}` is not a time in UTC")


def test_only_a_gateway_token_may_list_gateways(tmp_path: Path) -> None:
    token = f'- {{name: ci, roles: [publisher], gateways: ["eu-*"], sha256: "{"0" * 64}"}}'
    (found,) = problems(tmp_path, f"directory: hub\nkeys: [{{file: release.pub.pem}}]\ntokens:\n  {token}\n")
    assert found.startswith("hub.yaml:4: tokens[0].gateways: lists gateways, but the token lacks the role `gateway`")


def test_a_duplicate_name_or_token_is_an_error(tmp_path: Path) -> None:
    found = problems(tmp_path, f"directory: hub\nkeys: [{{file: release.pub.pem}}]\ntokens:\n  {TOKEN}\n  {TOKEN}\n")
    assert [line.split(":")[1] for line in found] == ["5", "5"]
    assert "appears twice" in found[0]
