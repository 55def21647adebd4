"""Certificate of a listener, reloaded when its files change.

Rule 1: TLS 1.2 or newer.
Rule 2: files that do not match yet (a renewal is two writes) change nothing; the next check tries again.
"""

import asyncio
import ssl
from pathlib import Path
from typing import Final, Protocol

LOOK_S: Final = 2.0


class CertificateEventLog(Protocol):
    """Writer of events to the log."""

    def __call__(self, event: str, /, **fields: object) -> None: ...


class Certificate:
    """A live TLS context; handshakes after a reload use the new certificate."""

    def __init__(self, certificate: Path, key: Path, report: CertificateEventLog) -> None:
        """Load both files; raises OSError or ssl.SSLError if they cannot be used."""
        self._certificate = certificate
        self._key = key
        self._report = report
        self._seen = self._state()
        self.context: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.context.load_cert_chain(certificate, key)

    async def follow(self) -> None:
        """Reload the files whenever they change, until canceled."""
        while True:
            await asyncio.sleep(LOOK_S)  # noqa: TID251 - the interval of the checks
            self.look()

    def look(self) -> None:
        """Reload the files if they have changed since they were last loaded."""
        try:
            state = self._state()
            if state == self._seen:
                return
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(self._certificate, self._key)
            self.context.load_cert_chain(self._certificate, self._key)
        except OSError as error:  # includes ssl.SSLError
            self._report("certificate_unusable", file=str(self._certificate), error=str(error))
            return
        self._seen = state
        self._report("certificate_reloaded", file=str(self._certificate))

    def _state(self) -> tuple[tuple[int, int, int], ...]:
        stats = [path.stat() for path in (self._certificate, self._key)]
        return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats)
