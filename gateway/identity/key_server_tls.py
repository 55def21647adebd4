"""TLS trust for the server of an issuer's key set."""

import ssl
from pathlib import Path


def authorities(ca_file: Path | None) -> ssl.SSLContext:
    """Return a context that trusts the system's CAs and those of the file; OSError if the file cannot be used."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
