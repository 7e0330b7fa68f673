from __future__ import annotations

import msgspec
import pytest

from trinco.core.tlsrpt.arrival import Arrival, Channel


class TestArrival:
    """What the spool keeps is what the panel takes."""

    def test_survives_the_spool(self) -> None:
        arrival = Arrival("edge1-1-0", "token", Channel.MAIL, 1.5, b"\x00\xff", "192.0.2.1", "a@b.example", "")
        octets = msgspec.msgpack.encode(arrival)
        assert msgspec.msgpack.decode(octets, type=Arrival) == arrival

    def test_an_unknown_channel_is_refused(self) -> None:
        octets = msgspec.msgpack.encode({"id": "1", "token": "", "channel": "fax", "received_at": 1.0, "body": b""})
        with pytest.raises(msgspec.ValidationError):
            msgspec.msgpack.decode(octets, type=Arrival)
