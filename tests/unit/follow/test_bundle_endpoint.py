"""The bundle endpoint: OPA's wire contract, and a real OPA that follows it."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from gateway.follow.bundle_endpoint import EMERGENCY_RESOURCE, BundleEndpoint, Offer, wait_s
from gateway.follow.bundle_endpoint_server import BundleServiceAddress, listening

FIRST, SECOND = Offer('"one"', b"1"), Offer('"two"', b"2")
TOKENLESS = ""


class Client:
    def __init__(self, session: aiohttp.ClientSession, address: BundleServiceAddress) -> None:
        self.session, self.url = session, f"{address.url}/{address.resource}"
        self.authorized = {"authorization": f"Bearer {address.token}"}

    async def ask(self, etag: str = "", wait: str = "", **changed: str) -> tuple[int, str | None, bytes]:
        headers = self.authorized | {"prefer": f"modes=snapshot,delta;wait={wait}" if wait else "modes=snapshot,delta"}
        headers |= {"if-none-match": etag} if etag else {}
        async with self.session.get(self.url, headers=headers | changed) as reply:
            self.type = reply.headers.get("content-type")
            return reply.status, reply.headers.get("etag"), await reply.read()


@pytest.fixture
async def served() -> AsyncIterator[tuple[BundleEndpoint, Client]]:
    async with listening() as (endpoint, address), aiohttp.ClientSession() as session:
        yield endpoint, Client(session, address)


async def test_the_endpoint_is_unavailable_before_the_first_bundle(served: tuple[BundleEndpoint, Client]) -> None:
    _, client = served
    assert (await client.ask())[0] == 503


async def test_the_first_request_is_answered_at_once_with_the_exact_content_type(
    served: tuple[BundleEndpoint, Client],
) -> None:
    endpoint, client = served
    endpoint.put(FIRST)
    assert await client.ask(wait="300") == (200, '"one"', b"1")
    assert client.type == "application/vnd.openpolicyagent.bundles"


async def test_a_stale_etag_is_answered_at_once(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    endpoint.put(SECOND)
    assert await client.ask(etag='"one"', wait="300") == (200, '"two"', b"2")


async def test_a_request_with_the_current_etag_is_held_until_a_change(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    endpoint.put(FIRST)
    asked = asyncio.create_task(client.ask(etag='"one"', wait="300"))
    done, _ = await asyncio.wait({asked}, timeout=0.1)
    assert not done
    endpoint.put(SECOND)
    assert await asyncio.wait_for(asked, 60) == (200, '"two"', b"2")


async def test_a_request_with_the_current_etag_gets_304_after_the_wait(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    endpoint.put(FIRST)
    loop = asyncio.get_running_loop()
    began = loop.time()
    assert (await client.ask(etag='"one"', wait="1"))[:2] == (304, '"one"')
    assert loop.time() - began >= 0.95


async def test_a_request_without_the_token_gets_no_information(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    endpoint.put(FIRST)
    for wrong in ("", "Bearer", "Bearer x", "Basic x"):
        assert await client.ask(authorization=wrong) == (401, None, b"")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/else", 404), ("POST", "", 405), ("DELETE", "", 405)])
async def test_other_paths_and_methods_are_refused(
    served: tuple[BundleEndpoint, Client], method: str, path: str, status: int
) -> None:
    _, client = served
    async with client.session.request(method, client.url + path, headers=client.authorized) as reply:
        assert reply.status == status


async def test_a_request_ends_when_its_client_disconnects(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    endpoint.put(FIRST)
    asked = asyncio.create_task(client.ask(etag='"one"', wait="300"))
    done, _ = await asyncio.wait({asked}, timeout=0.1)
    assert not done
    asked.cancel()
    await asyncio.gather(asked, return_exceptions=True)
    assert await client.ask() == (200, '"one"', b"1")


async def test_closing_ends_the_waiting_requests(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    endpoint.put(FIRST)
    asked = asyncio.create_task(client.ask(etag='"one"', wait="300"))
    done, _ = await asyncio.wait({asked}, timeout=0.1)
    assert not done
    endpoint.close()
    assert (await asyncio.wait_for(asked, 60))[0] == 503


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("", 0),
        ("modes=snapshot,delta", 0),
        ("modes=snapshot,delta;wait=30", 30),
        ("wait=5", 5),
        ("respond-async, wait=7", 7),
        ("await=7", 0),
        ("wait=-1", 0),
        ("wait=99999", 300),
    ],
)
def test_the_wait_is_read_from_the_prefer_header(prefer: str, seconds: float) -> None:
    assert wait_s(prefer) == seconds


async def test_the_stops_are_a_separate_resource(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    endpoint.put(FIRST)
    asked = asyncio.create_task(client.ask(etag='"one"', wait="300"))
    stops = Client(client.session, BundleServiceAddress(client.url.rsplit("/", 2)[0], EMERGENCY_RESOURCE, TOKENLESS))
    stops.authorized = client.authorized
    assert (await stops.ask())[0] == 503
    endpoint.put(SECOND, EMERGENCY_RESOURCE)
    assert await stops.ask() == (200, '"two"', b"2")
    assert endpoint.offer == FIRST
    done, _ = await asyncio.wait({asked}, timeout=0.1)
    assert not done, "the policy has not changed"
    asked.cancel()


async def test_the_callback_runs_when_the_offered_bundle_is_in_force(served: tuple[BundleEndpoint, Client]) -> None:
    endpoint, client = served
    taken = asyncio.Event()
    endpoint.on_taken = taken.set
    endpoint.put(FIRST)
    await client.ask()
    await client.ask(etag='"older"')
    assert not taken.is_set()
    asked = asyncio.create_task(client.ask(etag='"one"', wait="300"))
    await asyncio.wait_for(taken.wait(), 10)
    asked.cancel()
