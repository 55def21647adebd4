"""The owner of the credential that is sent for a route with credentials per principal."""

import pytest

from gateway.admission.decision import Credential, Route
from gateway.admission.principal import Principal
from tests.fakes import FakeReply, World, allow
from tests.unit.server.client import Browser

OWN = Route(url="http://upstream.test/mcp", credential=Credential(name="c", per="principal"))
USER = Principal(kind="user", method="jwt", issuer="https://a.example", subject="bot")


@pytest.mark.parametrize(
    ("principal", "several", "wanted"),
    [
        (USER, False, "bot"),
        (USER, True, "https://a.example#bot"),
        (Principal(kind="service", method="token", credential_sha256="ab" * 32), False, "agent:bot"),
    ],
)
async def test_no_two_principals_share_a_credential(principal: Principal, *, several: bool, wanted: str) -> None:
    world = World(lambda _: allow(OWN), lambda _: FakeReply(b"{}"), several_issuers=several)
    world.callers.outcome = principal
    await Browser(world).legacy("tools/call", {"name": "t"})
    assert {forward.permit.outbound.subject for forward in world.upstream.forwards} == {wanted}
