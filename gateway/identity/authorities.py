"""The certificate authorities that an issuer's key set may be served by."""

import ssl
from pathlib import Path


def authorities(ca_file: Path | None) -> ssl.SSLContext:
    """Trust the system's authorities and those of the file; OSError if it cannot be used."""
    context = ssl.create_default_context()
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
