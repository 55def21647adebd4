"""The HTTP client for upstreams: it takes a permit, and returns a stream of reply bytes.

Rule 1: address, headers, bytes and the credential of the route all come from the permit.
Rule 2: nothing is sent twice, and redirects, cookies and proxy settings of the environment are ignored.
Rule 3: every failure of an upstream is an `UpstreamFailure`, without any of its challenges or error texts.
"""

from gateway.upstream.client import CredentialValues, HttpUpstream, reach

__all__ = ["CredentialValues", "HttpUpstream", "reach"]
