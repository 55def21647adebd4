"""An issuer of real tokens, and its key set over real HTTP."""

import json
import ssl
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from gateway.identity.issuer import Issuer

ORIGIN = "https://gateway.example"
RESOURCE = f"{ORIGIN}/servers/slack/mcp"
NAME = "https://idp.example"
NOW = float(int(time.time()))

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
RSA_2 = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
ED448 = ed448.Ed448PrivateKey.generate()
ED = ed25519.Ed25519PrivateKey.generate()


def issuer(keys_url: str = "https://idp.example/keys", **more: Any) -> Issuer:
    return Issuer(issuer=NAME, keys_url=keys_url, **more)


def claims(**changes: Any) -> dict[str, Any]:
    whole = {"iss": NAME, "sub": "alice", "aud": RESOURCE, "exp": NOW + 600, "iat": NOW, "client_id": "editor"}
    return {name: value for name, value in {**whole, **changes}.items() if value is not ...}


def token(
    key: Any = RSA, algorithm: str = "RS256", *, kid: str | None = "1", typ: str = "at+jwt", **changes: Any
) -> str:
    headers = {"typ": typ, **({"kid": kid} if kid is not None else {})}
    return jwt.encode(claims(**changes), key, algorithm=algorithm, headers=headers)


def jwk(key: Any, kid: str | None = "1", **more: Any) -> dict[str, Any]:
    public = key.public_key()
    maker = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else OKPAlgorithm
    maker = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else maker
    content: dict[str, Any] = json.loads(maker.to_jwk(public))
    content.pop("key_ops", None)
    return {**content, **({"kid": kid} if kid is not None else {}), **more}


class Published:
    """The document of an issuer and its number of requests; `document` None returns 500."""

    def __init__(self, *keys: dict[str, Any]) -> None:
        self.document: bytes | None = b""
        self.asked = 0
        self.url = ""
        self.publish(*keys)

    def publish(self, *keys: dict[str, Any]) -> None:
        self.document = json.dumps({"keys": list(keys)}).encode()

    async def fetch(self, url: str) -> bytes | None:
        assert url == issuer().keys_url
        self.asked += 1
        return self.document


class Clock:
    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@contextmanager
def serving(published: Published, context: ssl.SSLContext | None = None) -> Generator[None]:
    """The published keys at `published.url`, from a thread, until the end of the block; over TLS with a context."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            published.asked += 1
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("location", "/keys")
                self.end_headers()
                return
            body = published.document
            self.send_response(200 if body is not None else 500)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class names it
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    published.url = f"{'http' if context is None else 'https'}://127.0.0.1:{server.server_port}/keys"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
