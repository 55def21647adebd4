"""The way upstream: a permit in, a stream of reply bytes out.

Rule 1: what is sent is the permit's: its address, its headers, its bytes, and the credential that its route names.
Rule 2: nothing is sent twice, no redirect is followed, no cookie is kept, no proxy of the environment is used.
Rule 3: every way in which an upstream fails is an `UpstreamFailure`; nothing of its challenge or error text is in it.
"""

from gateway.upstream.client import CredentialValues, HttpUpstream, reach

__all__ = ["CredentialValues", "HttpUpstream", "reach"]
