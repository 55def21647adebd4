"""Serve a small web site on loopback, then become the given command, whose HTTP proxy is this site.

    python server.py COMMAND ...

Rule 1: the site is reached as http://zoo.example without a name server, because a proxy resolves names itself.
Rule 2: `/slow` waits until the reader leaves.
Rule 3: the site ends when the command has ended.
"""

import os
import select
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import urlsplit

PATIENCE_S: Final = 60
HTML: Final = "text/html; charset=utf-8"
PLAIN: Final = "text/plain; charset=utf-8"
NOTES: Final = "".join(f"<p>Note {number}: buy milk, and bread for Zoë.</p>" for number in range(40))
PAGES: Final = {
    "/robots.txt": (PLAIN, "User-agent: *\nDisallow: /private\n"),
    "/notes": (HTML, f"<html><head><title>Notes</title></head><body><h1>Notes</h1>{NOTES}</body></html>"),
    "/private": (HTML, "<html><body><p>Nothing for robots.</p></body></html>"),
    "/data": ("application/json", '{"milk": [1, 2.5, null], "ä": true}'),
}


class Site(ThreadingHTTPServer):
    """A small web site, served by a process that the command starts and ends."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.command: Final = os.getpid()

    def service_actions(self) -> None:
        """End with the command; `serve_forever` calls this twice a second."""
        if os.getppid() != self.command:
            os._exit(0)


class Page(BaseHTTPRequestHandler):
    """One request for a page, in the form that a proxy gets: with the whole URL."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path == "/slow":
            select.select([self.connection], [], [], PATIENCE_S)
        media_type, text = PAGES.get(path, (PLAIN, "There is no such page."))
        self.send_response(200 if path in PAGES else 404)
        self.send_header("content-type", media_type)
        self.end_headers()
        self.wfile.write(text.encode())


site = Site()
if os.fork() == 0:
    site.serve_forever()
site.socket.close()
os.environ["HTTP_PROXY"] = f"http://127.0.0.1:{site.server_port}"
for name in ("NO_PROXY", "no_proxy", "http_proxy"):
    os.environ.pop(name, None)
os.execv(sys.argv[1], sys.argv[1:])
