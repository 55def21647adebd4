"""Answers of a hub can neither fill memory nor control the terminal."""

from functools import partial

import click
import httpx
import pytest

from gateway.artifact.artifact import MOST_BYTES
from gateway.cli.publishing.hub_client import HubClient, UnreachableError, remote


def answering(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response) -> HubClient:
    """A hub that answers everything with this."""
    transport = httpx.MockTransport(lambda _request: answer)
    monkeypatch.setattr("gateway.cli.publishing.hub_client.httpx.Client", partial(httpx.Client, transport=transport))
    return HubClient("https://hub.example.com", "token")


def test_an_artifact_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    sent = 0

    def endless() -> object:
        nonlocal sent
        while sent < 2 * MOST_BYTES:
            sent += 1 << 20
            yield bytes(1 << 20)

    hub = answering(monkeypatch, httpx.Response(200, content=endless()))  # pyright: ignore[reportArgumentType]
    with pytest.raises(click.ClickException, match="sent more than the maximum size of a bundle"):
        hub.content("0" * 64)
    assert sent <= MOST_BYTES + (2 << 20)


def test_a_password_in_the_url_of_a_hub_is_refused_and_not_repeated() -> None:
    with pytest.raises(click.UsageError, match="use --token-file") as refused:
        remote("https://me:hunter22@hub.example.com", None)
    assert "hunter22" not in str(refused.value)


def test_a_busy_hub_is_one_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    hub = answering(monkeypatch, httpx.Response(503, json={"error": "8 are under way", "remedy": "Ask again."}))
    for ask in (lambda: hub.content("0" * 64), lambda: hub.rollout("r", "c")):
        with pytest.raises(UnreachableError, match=r"is busy: 8 are under way. Ask again."):
            ask()


def test_the_reason_of_a_refusal_is_shown_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"error": "no\x1b[2J", "remedy": "Go.", "code": "artefact_pruned"}
    hub = answering(monkeypatch, httpx.Response(410, json=said))
    with pytest.raises(click.ClickException) as refused:
        hub.content("0" * 64)
    assert refused.value.message == "https://hub.example.com refused (410): artefact_pruned: no\\x1b[2J. Go."


@pytest.mark.parametrize("said", [b"<html>", b"[" * 100_000])
def test_an_unusable_refusal_asks_whether_the_address_is_a_hub(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    hub = answering(monkeypatch, httpx.Response(404, content=said))
    with pytest.raises(click.ClickException, match="is this the address of a hub"):
        hub.content("0" * 64)
