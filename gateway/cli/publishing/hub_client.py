"""The HTTP client of a hub, for commands.

Rule 1: the token is sent only to the named hub, and never unencrypted over a network.
"""

import os
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import click
import httpx
import msgspec

from gateway.artifact.artifact import MOST_BYTES
from gateway.cli.live_decisions import escaped
from gateway.cli.publishing.publish_target import PublishedChannels
from gateway.hub.channel_pointer import Assignment, Mark, Move, Pointer
from gateway.hub.responses import ChannelList, Standings, Stopped, Uploaded
from gateway.hub.rollout import Rollout
from gateway.settings.cross_checks import loopback

TOKEN: Final = "MCP_HUB_TOKEN"  # noqa: S105 - the name of a variable
"""The environment variable with the token."""
_BUSY: Final = 503
_TIMEOUT: Final = httpx.Timeout(60, connect=10)


class UnreachableError(click.ClickException):
    """The hub did not answer, or is temporarily busy."""


class HubClient:
    """A client of one hub; every method ends the command if the hub refuses."""

    def __init__(self, url: str, token: str) -> None:
        self.url: Final = url.rstrip("/")
        encrypted = self.url.startswith("https:")  # a proxy of the environment could read plain HTTP
        headers = {"authorization": f"Bearer {token}"}
        self._client: Final = httpx.Client(timeout=_TIMEOUT, headers=headers, trust_env=encrypted)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def known(self) -> PublishedChannels:
        """Return the published channels."""
        shown = msgspec.json.decode(self._call("GET", "/v1/channels"), type=ChannelList)
        return PublishedChannels(channels={each.channel: each for each in shown.channels}, highest=shown.highest)

    def history(self, channel: str, limit: int) -> list[Move]:
        """Return the last moves, the newest first."""
        answer = self._call("GET", f"/v1/history?channel={quote(channel)}&limit={limit}")
        return msgspec.json.decode(answer, type=list[Move])

    def content(self, digest: str) -> bytes:
        """Return the bytes of an artifact."""
        place = f"{self.url}/v1/artefacts/{quote(digest, safe='')}"
        try:
            with self._client.stream("GET", place) as answer:
                content = bytearray()
                for piece in answer.iter_bytes():
                    content += piece
                    if len(content) > MOST_BYTES:
                        raise click.ClickException(
                            f"{self.url} sent more than the maximum size of a bundle: {MOST_BYTES} bytes."
                        )
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._silent(error) from error
        return self._taken(answer, bytes(content))

    def upload(self, content: bytes) -> Mark:
        """Store an artifact."""
        found = msgspec.json.decode(self._call("POST", "/v1/artefacts", content=content), type=Uploaded)
        environment = found.revision.partition("@")[0]
        return Mark(digest=found.digest, revision=found.revision, environment=environment, seq=found.seq)

    def point(self, channel: str, digest: str, *, because: str, expected: str | None) -> Pointer:
        """Move the channel's pointer."""
        body = {"digest": digest, "because": because, "expected": expected}
        return msgspec.json.decode(
            self._call("PUT", f"/v1/channels/{quote(channel, safe='')}", json=body), type=Pointer
        )

    def assignments(self) -> list[Assignment]:
        """Return the assignments of gateways to another channel than the one that they ask for."""
        return msgspec.json.decode(self._call("GET", "/v1/assignments"), type=list[Assignment])

    def assign(self, assignments: list[Assignment]) -> None:
        """Replace the assignments."""
        self._call("PUT", "/v1/assignments", json=msgspec.to_builtins(assignments))

    def rollout(self, revision: str, channel: str) -> Rollout:
        """Return the progress of a revision."""
        place = f"/v1/rollouts/{quote(revision, safe='@')}?channel={quote(channel)}"
        return msgspec.json.decode(self._call("GET", place), type=Rollout)

    def stop(self, wanted: dict[str, Any]) -> Stopped:
        """Make a stop."""
        return msgspec.json.decode(self._call("POST", "/v1/stops", json=wanted), type=Stopped)

    def stops(self) -> Standings:
        """Return the stops in force and their revision."""
        return msgspec.json.decode(self._call("GET", "/v1/stops"), type=Standings)

    def lift(self, stop_id: str, because: str) -> None:
        """Lift a stop."""
        self._call("DELETE", f"/v1/stops/{quote(stop_id, safe='')}", json={"because": because})

    def _call(self, method: str, place: str, **body: Any) -> bytes:
        try:
            answer = self._client.request(method, f"{self.url}{place}", **body)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._silent(error) from error
        return self._taken(answer, answer.content)

    def _silent(self, error: Exception) -> UnreachableError:
        return UnreachableError(f"{self.url} does not respond: {error or type(error).__name__}.")

    def _taken(self, answer: httpx.Response, content: bytes) -> bytes:
        if answer.is_success:
            return content
        if answer.status_code == _BUSY:  # a waiting command asks again
            raise UnreachableError(f"{self.url} is busy: {_said(content)}")
        raise click.ClickException(f"{self.url} refused ({answer.status_code}): {_said(content)}")


def _said(content: bytes) -> str:
    try:
        body: dict[str, str] = msgspec.json.decode(content)
        code = f"{body['code']}: " if body.get("code") and not body["error"].startswith(body["code"]) else ""
        return escaped(f"{code}{body['error']}. {body['remedy']}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, TypeError, AttributeError):
        return "no reason given; is this the address of a hub?"


def remote(url: str, token_file: Path | None) -> HubClient:
    """Return the hub at this address; end the command if the token is missing or would be sent unencrypted."""
    parts = urlsplit(url)
    if parts.username is not None:
        raise click.UsageError("The hub's URL contains a user name or password: remove them and use --token-file.")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise click.UsageError(f"{url!r} is not a valid hub address: write https://host:port.")
    if parts.scheme == "http" and not loopback(parts.hostname):
        raise click.UsageError(f"{url} is not encrypted and would expose the token. Use https.")
    found = HubClient(url, _token(token_file))
    if context := click.get_current_context(silent=True):
        context.call_on_close(found.close)
    return found


def _token(token_file: Path | None) -> str:
    try:
        token = os.environ.get(TOKEN, "") if token_file is None else token_file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise click.ClickException(f"{token_file} cannot be read: {error}.") from error
    if not token.strip().isprintable() or not token.strip():
        raise click.UsageError(f"Give your token for the hub with --token-file or {TOKEN}.")
    return token.strip()
