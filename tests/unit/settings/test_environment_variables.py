"""Only the names of settings are read from the environment; similar names cause a warning."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.settings import SettingProblems, Settings, load, unknown_variables
from gateway.settings.typed_reader import variables

PORTS = st.sampled_from(["", "_8080_TCP", "_53_UDP", "_9_SCTP"])
NAMES = st.sampled_from(["", "LISTEN_", "ADMIN_", "HUB_", "OPA_", "STATE_DIRECTORY_", "X2_"])


def injected(service: str, address: str, port: int, named: str = "HTTP_ADMIN") -> dict[str, str]:
    """Return the variables that the kubelet sets for a service with one named port."""
    prefix = f"MCP_ADMISSION_{service}"
    url = f"tcp://{address}:{port}"
    return {
        f"{prefix}SERVICE_HOST": address,
        f"{prefix}SERVICE_PORT": str(port),
        f"{prefix}SERVICE_PORT_{named}": str(port),
        f"{prefix}PORT": url,
        f"{prefix}PORT_{port}_TCP": url,
        f"{prefix}PORT_{port}_TCP_PROTO": "tcp",
        f"{prefix}PORT_{port}_TCP_PORT": str(port),
        f"{prefix}PORT_{port}_TCP_ADDR": address,
    }


@given(NAMES, st.sampled_from(["10.0.0.1", "fd00::1", "[fd00::1]"]), st.integers(1, 65535))
def test_variables_injected_by_kubernetes_set_nothing_and_stop_nothing(service: str, address: str, port: int) -> None:
    environ = injected(service, address, port)
    assert load(None, environ) == load(None, {})
    told = unknown_variables(environ)
    assert [each.name for each in told] == [name for name in environ if name in variables(Settings)]
    assert all("rename the service" in str(each) for each in told)


def test_an_injected_variable_named_like_a_setting_does_not_change_it() -> None:
    environ = injected("LISTEN_", "10.0.0.1", 8080)
    loaded = load(None, environ)
    assert isinstance(loaded, Settings)
    assert loaded.listen.port == 8930
    assert [each.name for each in unknown_variables(environ)] == ["MCP_ADMISSION_LISTEN_PORT"]


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("MCP_ADMISSION_LISTEN_PORTT", "9000", "MCP_ADMISSION_LISTEN_PORT"),
        ("MCP_ADMISSION_LISTENPORT", "9000", "MCP_ADMISSION_LISTEN_PORT"),
        ("mcp_admission_listen_port", "9000", "MCP_ADMISSION_LISTEN_PORT"),
        ("MCP_ADMISSION_WORKER", "2", "MCP_ADMISSION_WORKERS"),
        ("MCP_ADMISSION_ANONYMOUS", "true", "MCP_ADMISSION_IDENTITY_ANONYMOUS"),
        ("MCP_ADMISSION_JOURNAL_DURABILTY", "disk", "MCP_ADMISSION_JOURNAL_DURABILITY"),
        ("MCP_ADMISSION_PORT", "9000", "MCP_ADMISSION_LISTEN_PORT"),
        ("MCP_ADMISSION_SERVICE_PORT", "nine", "PORT"),
    ],
)
def test_an_unknown_name_is_a_warning_with_the_nearest_setting(name: str, value: str, nearest: str) -> None:
    environ = {name: value}
    assert load(None, environ) == load(None, {})
    told = [str(each) for each in unknown_variables(environ)]
    assert len(told) == 1
    assert name in told[0]
    assert nearest in told[0]


def test_a_name_that_is_near_nothing_leads_to_the_list() -> None:
    assert "--settings" in str(unknown_variables({"MCP_ADMISSION_QQQQQQ": "1"})[0])


def test_variables_of_others_and_of_commands_are_no_warning() -> None:
    assert unknown_variables({"HOME": "/", "MCP_ADMISSION_CONFIG": "x", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}) == ()


def test_a_setting_with_a_wrong_value_is_still_a_problem() -> None:
    for value in ("ninety", "10.0.0.1:80", "tcp://", "http://10.0.0.1:80"):
        assert isinstance(load(None, {"MCP_ADMISSION_LISTEN_PORT": value}), SettingProblems)


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_each_name_with_the_prefix_is_read_injected_or_reported(rest: str, value: str) -> None:
    name = f"MCP_ADMISSION_{rest}"
    environ = {name: value}
    is_told = [each.name for each in unknown_variables(environ)] == [name]
    assert (
        is_told
        or name in variables(Settings)
        or "PORT" in rest
        or "SERVICE_HOST" in rest
        or rest in {"CONFIG", "TOOLS"}
    )
