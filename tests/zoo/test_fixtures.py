"""Hosted clients that cannot run here: their recorded fixtures, played directly and through the gateway.

Each fixture is played as one person and as several at once, who have own tokens and share the addresses of the host.
"""

import asyncio
import re
import socket
import time
from collections.abc import AsyncGenerator, Generator, Mapping
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from gateway.settings.model import LimitSettings
from tests.running import ANYONE, Gateway, catalog, running
from tests.servers.talking import TOOLS, Talker, talking
from tests.unit.identity.support import NAME, RSA, Published, jwk, serving, token
from tests.zoo.comparison import Difference, differences, unexplained
from tests.zoo.hosted import Exchange, Fixture, Player, fixtures
from tests.zoo.results import Result, keep

PEOPLE: Final = ("ada", "alan", "barbara", "edsger", "grace")
AUDIENCE: Final = "https://gateway.example"
HOSTED: Final[dict[str, Any]] = {
    **ANYONE,
    "agent": "hosted",
    "anonymous": False,
    "identities": [{"issuer": NAME, "client_id": "hosted"}],
}
"""One agent for all people: a hosted client has one client id."""
COMMENTS: Final = 4
KEEP_ALIVE_S: Final = 1.0
SCALE: Final = KEEP_ALIVE_S / LimitSettings().keep_alive_s
"""Idle limits are shortened as much as the time after which the gateway sends a comment."""
_READ: Final = {"action": "read"}
_OFFERED: Final[dict[str, Any]] = {
    "tools": dict.fromkeys(TOOLS, _READ),
    "resources": dict.fromkeys(("note://open", "note://closed"), _READ),
    "prompts": {"greet": _READ},
}
ALL: Final = dict(fixtures())
IN_SESSIONS: Final = [name for name, one in ALL.items() if any(each.session for each in one.exchanges)]
IDLE: Final = [name for name, one in ALL.items() if one.idle_limit_s]


@pytest.fixture(scope="module")
def talker(tmp_path_factory: pytest.TempPathFactory) -> Generator[Talker]:
    with talking(tmp_path_factory.mktemp("talking") / "journal") as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, talker: Talker) -> AsyncGenerator[Gateway]:
    """Run a gateway behind a proxy, with an issuer of tokens; tokens need a URL that is known before it listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    listen = {"port": port, "public_url": f"http://127.0.0.1:{port}", "trusted_proxies": ["127.0.0.1"]}
    published = Published(jwk(RSA))
    with serving(published):
        issuer = {"issuer": NAME, "keys_url": published.url, "audience": AUDIENCE}
        identity = {"issuers": [issuer], "anonymous": False}
        async with running(
            tmp_path_factory.mktemp("hosted"),
            servers={"talk": catalog("talk", talker.url, **_OFFERED)},
            files={"agents/anyone.yaml": HOSTED},
            settings={"identity": identity, "listen": listen, "limits": {"keep_alive_s": KEEP_ALIVE_S}},
        ) as started:
            yield started


def _token(person: str) -> str:
    return token(aud=AUDIENCE, sub=person, client_id="hosted", exp=time.time() + 600)


def _through(fixture: Fixture, gateway: Gateway, person: str) -> Player:
    return Player(fixture, gateway.url("talk"), person, _token(person))


def _known(fixture: Fixture) -> dict[str, str]:
    return {one.name: one.through.reason for one in fixture.exchanges if one.through}


@pytest.mark.parametrize("name", ALL)
def test_a_fixture_names_its_sources_and_dates_and_that_it_is_no_capture(name: str) -> None:
    fixture = ALL[name]
    assert "not a capture" in fixture.note
    assert fixture.sources
    for source in fixture.sources:
        assert source.url.startswith("https://")
        assert source.says
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", source.date)
        assert source.date <= fixture.written
    names = [one.name for one in fixture.exchanges]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ALL)
async def test_a_hosted_client_gets_through_the_gateway_what_it_gets_directly(
    name: str, gateway: Gateway, talker: Talker
) -> None:
    fixture = ALL[name]
    problem, found, done = "the play did not end", list[Difference](), 0
    try:
        direct = await Player(fixture, talker.url, "ada").play()
        through = await _through(fixture, gateway, "ada").play()
        found, done = differences(direct, through), len(direct)
        problem = "\n".join([*unexplained(found, _known(fixture)), *_unexpected(fixture, direct, through)])
        assert not problem, problem
    finally:
        _keep(name, fixture, problem, found, done)


@pytest.mark.parametrize("name", ALL)
async def test_people_who_share_the_addresses_of_a_host_do_not_disturb_each_other(
    name: str, gateway: Gateway, talker: Talker
) -> None:
    fixture = ALL[name]
    alone = {person: await Player(fixture, talker.url, person).play() for person in PEOPLE}
    together = await asyncio.gather(*(_through(fixture, gateway, person).play() for person in PEOPLE))
    for person, outcomes in zip(PEOPLE, together, strict=True):
        assert unexplained(differences(alone[person], outcomes), _known(fixture)) == []
    assert _mistaken(gateway, {one.address for one in fixture.exchanges}) == []


@pytest.mark.parametrize("name", IN_SESSIONS)
async def test_a_session_of_one_person_is_unknown_to_the_others(name: str, gateway: Gateway) -> None:
    fixture = ALL[name]
    ada, grace = (_through(fixture, gateway, person) for person in ("ada", "grace"))
    await ada.play()
    await grace.play()
    foreign = [one for one in fixture.exchanges if one.session and one.status == 200 and one.method != "DELETE"]
    for exchange in foreign:
        grace.sessions[exchange.session] = ada.sessions[exchange.session]
        async with grace.sent(exchange) as answer:
            assert answer.status_code == 404, exchange.name
            assert "ada" not in (await answer.aread()).decode()
    assert foreign


async def test_a_hosted_client_without_a_token_is_sent_to_the_authorization_server(gateway: Gateway) -> None:
    """A hosted client has no loopback redirect: it finds the authorization server by the metadata, and nothing else."""
    fixture = ALL["claude-ai-probes"]
    (exchange,) = (one for one in fixture.exchanges if not one.token)
    async with _through(fixture, gateway, "ada").sent(exchange) as answer:
        challenge = answer.headers["www-authenticate"]
        assert answer.status_code == 401
    named = re.search(r'resource_metadata="([^"]+)"', challenge)
    assert named is not None, challenge
    async with httpx.AsyncClient() as client:
        metadata = (await client.get(named[1], headers={"x-forwarded-for": exchange.address})).json()
    assert metadata["authorization_servers"] == [NAME]
    assert metadata["resource"] == gateway.url("talk")


@pytest.mark.parametrize("name", IDLE)
async def test_silent_streams_outlive_the_idle_limit_of_a_host(name: str, gateway: Gateway) -> None:
    fixture = ALL[name]
    player = _through(fixture, gateway, "ada")
    await player.play()
    stream = next(one for one in fixture.exchanges if one.stays)
    await asyncio.gather(
        _outlives(player, stream, fixture.idle_limit_s), _outlives(player, _waiting(stream), fixture.idle_limit_s)
    )


def _waiting(stream: Exchange) -> Exchange:
    """Return a call that waits until it is canceled, in the session of a stream."""
    params = {"name": "wait", "arguments": {"name": "{person}"}}
    return Exchange(
        name="wait",
        address=stream.address,
        headers={**stream.headers, "accept": "application/json, text/event-stream"},
        body={"jsonrpc": "2.0", "id": "wait", "method": "tools/call", "params": params},
        session=stream.session,
        status=200,
    )


async def _outlives(player: Player, exchange: Exchange, limit_s: float) -> None:
    """Demand comments on a stream, each before the shortened limit has passed without a byte."""
    comments = 0
    async with player.sent(exchange, read_s=limit_s * SCALE) as answer:
        assert answer.status_code == 200
        async for line in answer.aiter_lines():
            comments += line.startswith(":")
            if comments == COMMENTS:
                return
    raise AssertionError(f"{exchange.name}: the stream ended after {comments} comments")


def _unexpected(fixture: Fixture, direct: Mapping[str, Any], through: Mapping[str, Any]) -> list[str]:
    """Return which answers have another status than the fixture says."""
    wanted = ((one.name, one.status, one.through.status if one.through else one.status) for one in fixture.exchanges)
    got = ((name, status, direct[name]["status"], other, through[name]["status"]) for name, status, other in wanted)
    return [f"{name}: {one[1]} and {one[3]}" for name, *one in got if one[0] != one[1] or one[2] != one[3]]


def _keep(name: str, fixture: Fixture, problem: str, found: list[Difference], done: int) -> None:
    steps = {one.step for one in found}
    keep(
        Result(
            kind="fixture",
            name=name,
            title=fixture.title,
            package="fixture",
            version=max(source.date for source in fixture.sources),
            done=done,
            equal=done - len(found),
            differences={step: reason for step, reason in _known(fixture).items() if step in steps},
            problem=problem,
        )
    )


def _mistaken(gateway: Gateway, addresses: set[str]) -> list[str]:
    """Return the calls from these addresses that are recorded under another person than the one who made them."""
    calls = [one for one in gateway.records("decided") if one["source_ip"] in addresses and "arguments" in one]
    said = [(one["principal"]["subject"], one["arguments"]["values"].get("text")) for one in calls]
    return [f"{person}: {text}" for person, text in said if text is not None and text.split()[0] != person]
