import socket

import pytest

from gateway.listening.sockets import Unbound, bind


def test_each_worker_gets_a_socket_on_the_same_port() -> None:
    sockets = bind("127.0.0.1", 0, 3)
    assert not isinstance(sockets, Unbound)
    assert len({one.getsockname() for one in sockets}) == 1
    assert len({one.fileno() for one in sockets}) == 3
    for one in sockets:
        one.close()


@pytest.mark.parametrize("host", ["::1", "[::1]", "localhost"])
def test_hosts_may_be_names_and_ipv6_addresses(host: str) -> None:
    sockets = bind(host, 0, 1)
    assert not isinstance(sockets, Unbound)
    with socket.create_connection(sockets[0].getsockname()[:2], timeout=60):
        pass
    sockets[0].close()


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("first", [1, 2])
def test_a_port_of_another_gateway_is_refused_whatever_their_numbers_of_workers(first: int, count: int) -> None:
    taken = bind("127.0.0.1", 0, first)
    assert not isinstance(taken, Unbound)
    port = taken[0].getsockname()[1]
    refused = bind("127.0.0.1", port, count)
    assert isinstance(refused, Unbound)
    assert f"127.0.0.1:{port}" in refused.message
    for one in taken:
        one.close()


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid", "\udcff"])
def test_an_address_that_is_not_ours_is_refused_with_its_reason(host: str) -> None:
    assert isinstance(bind(host, 0, 1), Unbound)
