"""Places that bundles are kept at without a hub: an object store, with what S3 and Google ask, and an OCI registry.

    async with serving(ObjectStore()) as store:
        store.put(content)

Rule 1: they judge no bundle: what a test puts there is given, however broken; who asks must say who they are.
"""

import base64
import hashlib
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from aiohttp import web

TARBALL: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
METADATA: Final = "/computeMetadata/v1/instance/service-accounts/default/token"
TOKEN: Final = "a-token-of-google"
LOGIN: Final = "policies:a-password"


def digest(content: bytes) -> str:
    """Return the name of content in a registry."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Store:
    """Has one bundle; `path` and `query` are where it is, `allowed` is how whoever asks must say who they are."""

    def __init__(self, path: str = "", query: str = "", allowed: str = "") -> None:
        """Begin empty."""
        self.url = ""
        self.asked: list[web.Request] = []
        self.unchanged: int = 0
        """How often it was asked for what the asker had."""
        self.content: bytes | None = None
        self.path: Final = path
        self.query: Final = query
        self.allowed: Final = re.compile(allowed)

    def put(self, content: bytes) -> None:
        """Have this bundle from now on."""
        self.content = content

    async def answer(self, request: web.Request) -> web.Response:
        """Answer whoever may ask."""
        self.asked.append(request)
        if not self.allowed.match(request.headers.get("Authorization", "")):
            return web.Response(status=403)
        return self.found(request) or web.Response(status=404)

    def found(self, request: web.Request) -> web.Response | None:
        """Return what is there; None for nothing."""
        raise NotImplementedError


class ObjectStore(Store):
    """Static HTTP with an ETag; one made by S3's name is the MD5 of the object, and any other will do."""

    def found(self, request: web.Request) -> web.Response | None:
        """Return the object, or that it has not changed."""
        if request.path == METADATA and request.headers.get("Metadata-Flavor") == "Google":
            return web.json_response({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"})
        if self.content is None or (request.path, request.query_string) != (self.path, self.query):
            return None
        etag = f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'
        if request.headers.get("If-None-Match") == etag:
            self.unchanged += 1
            return web.Response(status=304, headers={"ETag": etag})
        return web.Response(body=self.content, content_type="application/x-gzip", headers={"ETag": etag})

    async def answer(self, request: web.Request) -> web.Response:
        """Answer; Google's metadata server, which stands beside it, asks for a header of its own and for no token."""
        told = self.found(request) if request.path == METADATA else None
        return told or await super().answer(request)


class Registry(Store):
    """The part of the OCI distribution specification that a pull needs: manifests by tag and digest, and blobs."""

    layer: str = TARBALL
    """The media type that it says the bundle has."""

    def found(self, request: web.Request) -> web.Response | None:
        """Return a manifest or a blob."""
        if self.content is None:
            return None
        config = b"{}"
        manifest = self._manifest(self.content, config)
        if request.path in {f"{self.path}/manifests/production", f"{self.path}/manifests/{digest(manifest)}"}:
            self.unchanged += request.method == "HEAD"
            headers = {"Docker-Content-Digest": digest(manifest), "Content-Type": MANIFEST}
            return web.Response(body=manifest, headers=headers)
        blobs = {f"{self.path}/blobs/{digest(each)}": each for each in (self.content, config)}
        body = blobs.get(request.path)
        return None if body is None else web.Response(body=body, content_type="application/octet-stream")

    def _manifest(self, content: bytes, config: bytes) -> bytes:
        def described(media_type: str, blob: bytes) -> dict[str, Any]:
            return {"mediaType": media_type, "digest": digest(blob), "size": len(blob)}

        said = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("application/vnd.oci.image.config.v1+json", config),
            "layers": [described(self.layer, content)],
        }
        return json.dumps(said).encode()


def s3() -> ObjectStore:
    """Return a bucket of S3: requests must be signed for its region and service."""
    return ObjectStore(
        "/bundle.tar.gz", allowed=r"AWS4-HMAC-SHA256 Credential=AKTEST/\d{8}/eu-central-1/s3/aws4_request,"
    )


def gcs() -> ObjectStore:
    """Return a bucket of Google's: requests must carry the token that its metadata server gave."""
    return ObjectStore("/storage/v1/b/policies/o/bundle.tar.gz", "alt=media", f"Bearer {TOKEN}$")


def registry() -> Registry:
    """Return a registry that wants a name and a password."""
    return Registry("/v2/policies", allowed=f"Basic {base64.b64encode(LOGIN.encode()).decode()}$")


_Store = TypeVar("_Store", bound=Store)


@asynccontextmanager
async def serving(store: _Store) -> AsyncGenerator[_Store]:
    """Serve a store on loopback."""
    app = web.Application()
    app.router.add_get("/{path:.*}", store.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        store.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield store
    finally:
        await runner.cleanup()
