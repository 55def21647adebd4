# pyright: basic, reportMissingImports=false
"""GitHub's API as tools: FastMCP over the OpenAPI document of `@octokit/openapi`, with a stub of the API behind it.

    python server.py DOCUMENT PORT [--page-size N] [--json] [--only PATTERN] [--schemas]

Rule 1: every call crosses loopback HTTP to the stub, as it would cross the network to the real API.
Rule 2: the stub answers with the examples of the document, so answers fit the output schemas.
Rule 3: what was deleted is remembered, and `GET /gitignore/templates` shows it instead of templates. The template named
`Wait` is one for which the caller waits until it leaves.
"""

import argparse
import json
import re
import select
import threading
from collections.abc import Mapping
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx2
from fastmcp import FastMCP
from fastmcp.server.providers.openapi import MCPType, RouteMap

_PATIENCE_S: Final = 60


class Document:
    """An OpenAPI document, as far as the stub reads it."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self.content: Final = content

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
        """The paths as patterns; those with fewer variables are matched first."""
        templates = sorted(self.content["paths"].items(), key=lambda path: path[0].count("{"))
        return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template)), methods) for template, methods in templates]

    def example(self, method: str, path: str) -> tuple[int, Any]:
        """Return the status of the first good response of an operation, and its first example (null: no body)."""
        for pattern, methods in self._paths:
            if pattern.fullmatch(path) and method in methods:
                status, response = next(
                    (code, self._resolved(response))
                    for code, response in methods[method]["responses"].items()
                    if code.startswith("2")
                )
                examples = response.get("content", {}).get("application/json", {}).get("examples", {})
                return int(status), next((self._resolved(one)["value"] for one in examples.values()), None)
        return HTTPStatus.NOT_FOUND, {"message": "Not Found"}

    def _resolved(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in node:
            found: Any = self.content
            for key in node["$ref"].removeprefix("#/").split("/"):
                found = found[key]
            node = found
        return node


class Api(ThreadingHTTPServer):
    """The stub of the API, on a free port of loopback."""

    daemon_threads = True

    def __init__(self, document: Document) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.document: Final = document
        self.deleted: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """One request to the stub."""

    server: Api
    protocol_version = "HTTP/1.1"

    def handle_one_request(self) -> None:
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.answer(self.command.lower(), self.path.partition("?")[0])

    def answer(self, method: str, path: str) -> None:
        if (method, path) == ("get", "/gitignore/templates"):
            self.send(200, self.server.deleted or ["Nothing was deleted."])
        elif (method, path) == ("get", "/gitignore/templates/Wait"):
            self.wait()
        else:
            if method == "delete":
                self.server.deleted.append(path)
            self.send(*self.server.document.example(method, path))

    def wait(self) -> None:
        """Wait until the caller closes the connection."""
        select.select([self.connection], [], [], _PATIENCE_S)
        self.close_connection = True

    def send(self, status: int, value: Any) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response_only(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("document", type=Path)
    parser.add_argument("port", type=int)
    parser.add_argument("--page-size", type=int, help="tools on a page of the list; without it, all are on one")
    parser.add_argument("--json", action="store_true", help="answer with JSON instead of SSE")
    parser.add_argument("--only", default="", help="paths whose operations become tools, as a regular expression")
    parser.add_argument("--schemas", action="store_true", help="give tools the output schemas of the document")
    chosen = parser.parse_args()
    content = json.loads(chosen.document.read_text(encoding="utf-8"))
    server = FastMCP.from_openapi(
        content,
        client=httpx2.AsyncClient(base_url=Api(Document(content)).url, trust_env=False),
        name="github",
        version="1.0.0",
        route_maps=[
            RouteMap(pattern=chosen.only, mcp_type=MCPType.TOOL),
            RouteMap(mcp_type=MCPType.EXCLUDE),
        ],
        validate_output=chosen.schemas,
        list_page_size=chosen.page_size,
    )
    server.run(transport="http", host="127.0.0.1", port=chosen.port, json_response=chosen.json, show_banner=False)


if __name__ == "__main__":
    main()
