"""The tokens and keys that `mcp-admission hub` creates."""

import re
import stat
import time
from pathlib import Path

from click.testing import CliRunner

from gateway.artifact.signing import read_key
from gateway.cli import main
from gateway.hub.settings import HubSettings, load
from gateway.identity.tokens import digest, well_formed
from tests.hubs import ground


def test_a_token_is_printed_once_and_its_digest_is_the_entry() -> None:
    made = CliRunner().invoke(main, ["hub", "token", "ci", "--role", "publisher", "--role", "reader"])
    token = made.stdout.strip()
    assert well_formed(token)
    assert f'- {{name: ci, roles: [publisher, reader], sha256: "{digest(token)}"}}' in made.stderr
    assert token not in made.stderr


def test_a_gateways_token_names_the_gateways_that_speak_by_it() -> None:
    made = CliRunner().invoke(main, ["hub", "token", "eu", "--role", "gateway", "--gateway", "eu-*", "--gateway", "x"])
    assert '- {name: eu, roles: [gateway], gateways: ["eu-*", "x"], sha256: "' in made.stderr
    refused = CliRunner().invoke(main, ["hub", "token", "ci", "--role", "publisher", "--gateway", "x"])
    assert (refused.exit_code, "--gateway is for tokens with --role gateway" in refused.stderr) == (2, True)


def test_a_token_that_ends_says_when_as_the_settings_want_it(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["hub", "token", "ci", "--role", "publisher", "--days", "30"])
    entry = made.stderr.splitlines()[-1]
    made_ground = ground(tmp_path)
    text = f"directory: hub\nkeys: [{{file: release.pub.pem}}]\ntokens:\n{entry}\n"
    made_ground.settings.write_text(text)
    found = load(made_ground.settings)
    assert isinstance(found, HubSettings)
    days = (found.callers[0].expires_unix_ns - time.time_ns()) / 86_400e9
    assert 29.9 < days <= 30


def test_a_role_is_one_of_four_and_has_no_default() -> None:
    for words in ([], ["--role", "admin"]):
        assert CliRunner().invoke(main, ["hub", "token", "ci", *words]).exit_code == 2


def test_a_key_is_private_beside_its_public_half_and_replaces_nothing(tmp_path: Path) -> None:
    file = tmp_path / "emergency.pem"
    made = CliRunner().invoke(main, ["hub", "key", str(file)])
    key = read_key(file.read_bytes())
    assert made.stdout.strip() == key.keyid
    assert (tmp_path / "emergency.pub.pem").read_text() == key.public_pem
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = CliRunner().invoke(main, ["hub", "key", str(file)])
    assert again.exit_code == 1
    assert "Existing keys are not replaced" in again.stderr
    assert read_key(file.read_bytes()).keyid == key.keyid


def test_settings_that_cannot_be_used_are_said_with_file_and_line(tmp_path: Path) -> None:
    config = tmp_path / "hub.yaml"
    config.write_text("directory: hub\ntokens: []\nkys: []\n")
    refused = CliRunner().invoke(main, ["hub", "serve", "--config", str(config)])
    assert refused.exit_code == 1
    assert re.search(r"hub\.yaml:3: kys: is not a setting", refused.stderr)
