"""The data listener's certificate: renewal without a restart, and refusal of unusable files."""

import ssl
from pathlib import Path

import pytest

from gateway.listening.certificate import Certificate
from tests.unit.opa.support import Log
from tests.unit.supervisor.certificates import write_certificate
from tests.unit.supervisor.support import Supervisor


class Files:
    def __init__(self, directory: Path) -> None:
        self.certificate, self.key = directory / "tls.crt", directory / "tls.key"

    def write(self, name: str) -> None:
        write_certificate(self.certificate, self.key, name)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    files = Files(tmp_path)
    files.write("first")
    return files


def shown(certificate: Certificate) -> str:
    """Return the common name that a client of this context sees, by a handshake in memory."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    client = trusting.wrap_bio(to_client, to_server)
    server = certificate.context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    der = client.getpeercert(binary_form=True)
    assert der is not None
    return "second" if b"second" in der else "first"


def test_handshakes_after_a_renewal_show_the_new_certificate(files: Files) -> None:
    log = Log()
    certificate = Certificate(files.certificate, files.key, log)
    assert shown(certificate) == "first"
    files.write("second")
    certificate.look()
    assert shown(certificate) == "second"
    assert len(log.named("certificate_reloaded")) == 1


def test_an_unchanged_certificate_is_not_read_again(files: Files) -> None:
    log = Log()
    certificate = Certificate(files.certificate, files.key, log)
    certificate.look()
    assert log.events == []


def test_a_half_written_renewal_changes_nothing_and_is_loaded_once_complete(files: Files) -> None:
    log = Log()
    certificate = Certificate(files.certificate, files.key, log)
    old = files.key.read_bytes()
    files.write("second")
    new = files.key.read_bytes()
    files.key.write_bytes(old)
    certificate.look()
    assert shown(certificate) == "first"
    assert len(log.named("certificate_unusable")) == 1
    files.key.write_bytes(new)
    certificate.look()
    assert shown(certificate) == "second"


@pytest.mark.parametrize("damage", ["", "no PEM"])
def test_a_certificate_that_is_damaged_or_gone_changes_nothing(files: Files, damage: str) -> None:
    certificate = Certificate(files.certificate, files.key, Log())
    files.certificate.write_text(damage) if damage else files.certificate.unlink()
    certificate.look()
    assert shown(certificate) == "first"


def test_old_protocols_are_not_spoken(files: Files) -> None:
    assert Certificate(files.certificate, files.key, Log()).context.minimum_version == ssl.TLSVersion.TLSv1_2


async def test_the_data_listener_speaks_tls_and_takes_up_a_renewed_certificate(tmp_path: Path, files: Files) -> None:
    tls = {"certificate": str(files.certificate), "key": str(files.key)}
    settings = {"workers": 1, "listen": {"port": 0, "tls": tls}}
    async with Supervisor(tmp_path, settings) as supervisor:
        await supervisor.ready()
        assert (await supervisor.event("listening"))["url"].startswith("https://")
        assert (await supervisor.call(ssl=ssl.create_default_context(cafile=str(files.certificate))))["worker"] == 0
        files.write("second")
        await supervisor.event("certificate_reloaded")
        assert (await supervisor.call(ssl=ssl.create_default_context(cafile=str(files.certificate))))["worker"] == 0


async def test_an_unusable_certificate_is_reported_before_anything_starts(tmp_path: Path, files: Files) -> None:
    files.key.write_text("no key")
    tls = {"certificate": str(files.certificate), "key": str(files.key)}
    async with Supervisor(tmp_path, {"listen": {"port": 0, "tls": tls}}) as supervisor:
        assert await supervisor.ended() == 1
        assert "tls.key" in (await supervisor.event("start_failed"))["reason"]
        assert len(supervisor.events) == 1
