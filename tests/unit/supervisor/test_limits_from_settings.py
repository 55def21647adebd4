"""The limits of a worker's connections come from its settings and from its descriptors."""

import json
from pathlib import Path

import pytest

from gateway.listening.descriptors import connections_for
from gateway.settings import Settings, load
from gateway.supervisor.limits_from_settings import limits_of, manner_of
from tests.unit.opa.support import Log


def settings(tmp_path: Path, **variables: str) -> Settings:
    made = load(None, {"MCP_ADMISSION_STATE_DIRECTORY": str(tmp_path), **variables})
    assert isinstance(made, Settings), str(made)
    return made


@pytest.mark.parametrize(
    ("written", "descriptors", "total"), [("", 1024, 448), ("100", 1024, 100), ("9999", 1024, 448), ("", 1 << 20, 8192)]
)
def test_connections_are_as_many_as_the_descriptors_allow(
    tmp_path: Path, written: str, descriptors: int, total: int
) -> None:
    made = settings(tmp_path, **({"MCP_ADMISSION_LISTEN_CONNECTIONS": written} if written else {}))
    assert limits_of(made, descriptors).total == total
    assert total <= connections_for(descriptors)


def test_every_limit_of_connections_is_a_setting(tmp_path: Path) -> None:
    names = {
        "LISTEN_CONNECTIONS_PER_ADDRESS": "7",
        "LISTEN_HEAD_S": "1",
        "LISTEN_BODY_S": "2",
        "LISTEN_STALL_S": "3",
        "LISTEN_IDLE_S": "4",
        "LISTEN_TRUSTED_PROXIES": "192.0.2.0/24",
        "LIMITS_UNREAD_BYTES": "5",
    }
    made = limits_of(settings(tmp_path, **{f"MCP_ADMISSION_{name}": value for name, value in names.items()}), 1024)
    assert (made.per_address, made.head_s, made.body_s, made.stall_s, made.idle_s) == (7, 1, 2, 3, 4)
    assert (made.trusted, made.unread_bytes) == (("192.0.2.0/24",), 5)


def test_a_head_that_is_refused_with_a_record_is_read_whole(tmp_path: Path) -> None:
    made = settings(tmp_path)
    assert limits_of(made, 1024).head_bytes > made.limits.header_bytes


def test_the_refusals_of_the_data_listener_are_json_rpc(tmp_path: Path) -> None:
    manner = manner_of(settings(tmp_path), 1024, report=Log(), certificate=None)
    assert json.loads(manner.error_body("no")) == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32600, "message": "no"},
    }
