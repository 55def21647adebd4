"""The messages of a command that waits for a rollout."""

import pytest
from msgspec.structs import replace

from gateway.cli.publishing.rollout_barrier import RolloutBarrier, confirmed_text, late_text
from gateway.hub.rollout import ConfirmedGateway, Rollout, SilentGateway

ROLLOUT = Rollout(
    revision="r2",
    channel="production",
    in_force="r2",
    confirmed=(ConfirmedGateway(gateway="eu-1", after_ms=250),),
    pending=(),
    complete=True,
    unheard=(SilentGateway(gateway="us-1\x1b[2J", token="eu"),),
)


def test_after_a_restart_of_the_hub_the_way_to_ask_again_is_told() -> None:
    late = late_text(replace(ROLLOUT, complete=False, unheard=()), RolloutBarrier(revision="r2", at_least=1))
    assert late.endswith("not all gateways have reported yet: check again with `rollout`.")


@pytest.mark.parametrize(
    "text", [confirmed_text(ROLLOUT), late_text(ROLLOUT, RolloutBarrier(revision="r2", at_least=2))]
)
def test_a_gateway_with_a_refused_name_is_listed_on_success_and_failure(text: str) -> None:
    assert text.splitlines()[-1] == (
        "  Not counted: us-1\\x1b[2J, whose token eu may not report under this id (`gateways` in the hub's settings)."
    )
    assert "r2" in text.splitlines()[0]
