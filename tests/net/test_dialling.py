"""What a library dials is held against the guard at the moment at which it connects."""

from __future__ import annotations

import socket
import threading
from ipaddress import ip_network

import pytest
import requests

from trinco.core.errors import Refused
from trinco.net.dialling import guarded
from trinco.net.guard import Guard

NEAR = Guard((ip_network("127.0.0.0/8"),))


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


class TestGuarded:
    """RELIABILITY 2, row 26: whoever chooses a name must not choose an address of ours."""

    def test_a_private_address_is_not_dialled(self, listener):
        with guarded(Guard(), 1.0), pytest.raises(Refused, match="loopback"):
            socket.create_connection(listener.getsockname())

    def test_nor_by_a_name_that_leads_there_nor_by_a_library(self, listener):
        address = f"http://localhost:{listener.getsockname()[1]}/"
        with guarded(Guard(), 1.0), pytest.raises(Refused):
            requests.get(address, timeout=60)

    def test_a_permitted_one_is_and_does_not_wait_for_ever(self, listener):
        with guarded(NEAR, 0.2), socket.socket() as connection:
            connection.connect(listener.getsockname())
            with pytest.raises(TimeoutError):
                connection.recv(1)

    def test_a_time_out_that_is_there_stays(self, listener):
        with guarded(NEAR, 0.2), socket.create_connection(listener.getsockname(), 7.0) as connection:
            assert connection.gettimeout() == 7.0

    def test_a_socket_of_the_machine_is_none_of_the_internet(self, tmp_path):
        with guarded(NEAR, 1.0), socket.socket(socket.AF_UNIX) as connection, pytest.raises(Refused):
            connection.connect(str(tmp_path / "socket"))

    def test_other_threads_and_later_connections_are_free(self, listener):
        reached = []

        def dial() -> None:
            socket.create_connection(listener.getsockname()).close()
            reached.append(True)

        with guarded(Guard(), 1.0):
            thread = threading.Thread(target=dial)
            thread.start()
            thread.join()
        dial()
        assert reached == [True, True]
