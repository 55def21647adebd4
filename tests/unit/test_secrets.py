"""Upstream credentials: the right file, read when it changed, shown nowhere."""

import os
import re
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.admission.decision import Credential
from gateway.pipeline.ports import UpstreamFailure
from gateway.secrets import LARGEST, Secret, SecretStore, file_name, parse


def put(path: Path, text: str | bytes, mode: int = 0o600) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)


def found(
    directory: Path, *, per: Literal["shared", "principal"] = "shared", name: str = "github", subject: str = "alice"
) -> Secret | UpstreamFailure:
    return SecretStore(directory).header(Credential(name=name, per=per), server="github", subject=subject)


def value(secret: Secret | UpstreamFailure) -> str:
    assert isinstance(secret, Secret), secret
    return f"{secret.name}: {secret.value}"


def reason(secret: Secret | UpstreamFailure) -> str:
    assert isinstance(secret, UpstreamFailure)
    assert secret.code == "credential_missing"
    return secret.detail


def test_a_shared_credential_is_the_file_of_its_name(tmp_path: Path) -> None:
    put(tmp_path / "github", "ghp_secret\n")
    assert value(found(tmp_path)) == "Authorization: Bearer ghp_secret"


def test_a_principals_own_credential_is_below_the_server(tmp_path: Path) -> None:
    put(tmp_path / "github" / "alice@example.com", "own")
    assert value(found(tmp_path, per="principal", subject="alice@example.com")) == "Authorization: Bearer own"


def test_the_shared_credential_never_stands_in_for_a_principals_own(tmp_path: Path) -> None:
    put(tmp_path / "slack", "shared")
    put(tmp_path / "github" / "bob", "bob's")
    for subject in ("alice", "", "..", "../slack", "/slack", "bob/../bob", "BOB"):
        assert "missing" in reason(found(tmp_path, per="principal", name="slack", subject=subject)) or subject == ""


def test_a_missing_credential_says_which_file_to_supply_and_how(tmp_path: Path) -> None:
    assert "'github'" in reason(found(tmp_path))
    assert "chmod 600" in reason(found(tmp_path))
    assert "'github/auth0%7C1'" in reason(found(tmp_path, per="principal", subject="auth0|1"))
    assert str(tmp_path) not in reason(found(tmp_path))


def test_without_a_directory_every_credential_is_missing() -> None:
    outcome = SecretStore(None).header(Credential(name="github", per="shared"), server="github", subject="")
    assert "secrets directory" in reason(outcome)


@pytest.mark.parametrize("name", ["../github", "/etc/passwd", "", ".", "..", "a/b", "A", "github\x00"])
def test_an_invalid_credential_name_finds_nothing(tmp_path: Path, name: str) -> None:
    put(tmp_path / "github", "token")
    reason(found(tmp_path / "sub", name=name))


def test_a_changed_file_is_read_again_without_a_restart(tmp_path: Path) -> None:
    secrets, credential = SecretStore(tmp_path), Credential(name="github", per="shared")

    def now() -> Secret | UpstreamFailure:
        return secrets.header(credential, server="github", subject="")

    reason(now())
    put(tmp_path / "github", "one")
    assert value(now()) == "Authorization: Bearer one"
    put(tmp_path / "new", "two")
    (tmp_path / "new").replace(tmp_path / "github")
    assert value(now()) == "Authorization: Bearer two"
    (tmp_path / "github").chmod(0o604)
    assert "chmod o-rwx" in reason(now())
    (tmp_path / "github").unlink()
    assert "missing" in reason(now())


def test_a_mounted_secret_is_followed_through_its_links(tmp_path: Path) -> None:
    secrets, credential = SecretStore(tmp_path), Credential(name="github", per="shared")
    for text in ("one", "two"):
        put(tmp_path / text / "github", text)
    (tmp_path / "github").symlink_to("data/github")
    for text in ("one", "two"):
        (tmp_path / "next").symlink_to(text)
        (tmp_path / "next").rename(tmp_path / "data")
        assert value(secrets.header(credential, server="", subject="")) == f"Authorization: Bearer {text}"


def test_an_unchanged_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "github", "one")
    secrets, credential = SecretStore(tmp_path), Credential(name="github", per="shared")
    secrets.header(credential, server="", subject="")
    monkeypatch.setattr("gateway.secrets.parse", pytest.fail)
    assert value(secrets.header(credential, server="", subject="")) == "Authorization: Bearer one"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666, 0o601])
def test_a_file_that_others_may_open_does_not_count(tmp_path: Path, mode: int) -> None:
    put(tmp_path / "github", "one", mode)
    assert "every user" in reason(found(tmp_path))


def test_a_large_or_special_file_does_not_count(tmp_path: Path) -> None:
    put(tmp_path / "github", "x" * (LARGEST + 1))
    assert "larger" in reason(found(tmp_path))
    (tmp_path / "dir").mkdir()
    reason(found(tmp_path, name="dir"))
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "not a file" in reason(found(tmp_path, name="pipe"))


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("token", "Authorization: Bearer token"),
        ("  token \r\n", "Authorization: Bearer token"),
        ("a:b", "Authorization: Bearer a:b"),
        ("X-Api-Key: abc", "X-Api-Key: abc"),
        ("Authorization: Basic dTpw", "Authorization: Basic dTpw"),
        ("PRIVATE-TOKEN:\tabc def ", "PRIVATE-TOKEN: abc def"),
    ],
)
def test_a_file_holds_a_bearer_token_or_a_header(text: str, want: str) -> None:
    secret = parse(text)
    assert isinstance(secret, Secret)
    assert f"{secret.name}: {secret.value}" == want


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " \n",
            "two words",
            "two\nlines",
            "tok\x00en",
            "tökén",
            "X-Key: a\nX-Other: b",
            "X-Key: ü",
            "X Key: a",
            ": a",
        ),
        *(
            "Host: a",
            "Cookie: a=b",
            "Mcp-Session-Id: a",
            "Content-Length: 1",
            "Transfer-Encoding: chunked",
            "origin: a",
        ),
        *("Accept: a", "X-Forwarded-For: a", "Connection: close"),
    ],
)
def test_text_that_is_neither_a_token_nor_a_header_is_refused(text: str) -> None:
    assert isinstance(parse(text), str)


def test_a_secret_does_not_show_its_value() -> None:
    secret = Secret("Authorization", "Bearer hunter2")
    assert "hunter2" not in f"{secret!r} {secret} {[secret]}"


@given(st.text())
def test_no_subject_leaves_its_directory(subject: str) -> None:
    name = file_name(subject)
    assert re.fullmatch(r"(?!\.)[A-Za-z0-9@_.~%-]{0,150}", name)


@given(st.text(max_size=300), st.text(max_size=300))
def test_two_subjects_never_share_a_file(left: str, right: str) -> None:
    assert (file_name(left) == file_name(right)) == (left == right)


def test_a_long_subject_cannot_be_imitated() -> None:
    long = file_name("x" * 1_000)
    assert long.startswith("%sha256-")
    assert file_name(long) != long
