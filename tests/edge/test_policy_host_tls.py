"""The handshake as a stranger meets it: which names are served, what is refused and how, and what a fenced edge says."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest
from structlog.testing import capture_logs
from tests.edge.policy_rig import (
    LOOPS,
    UNRECOGNIZED_NAME,
    Rig,
    body_of,
    client_hello,
    content_of,
    drained,
    get,
    hosted,
    publication,
)
from tests.support_tls import Authority, unseal

from trinco.core.errors import TrincoError
from trinco.edge.limits import Limits
from trinco.edge.sni import Table

NAME, OTHER = "um.example", "dois.example"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def table_of(authority: Authority, *names: str) -> Table:
    return Table(publication(*(hosted(authority, name) for name in names), issuers=authority.issuers))


@pytest.fixture(scope="module", params=list(LOOPS))
def rig(authority: Authority, request: pytest.FixtureRequest) -> Iterator[Rig]:
    limits = Limits(handshake=2, header=2, log_lines=1e9)
    with Rig(table_of(authority, NAME), authority, limits, loop_name=request.param).running() as running:
        yield running


def hello_for(name: bytes) -> bytes:
    """A hello whose server_name holds these octets, whatever they are."""
    stand_in = b"a" * len(name)
    return client_hello(stand_in.decode()).replace(stand_in, name)


class TestUnknownNames:
    """RELIABILITY row 5, RFC 6066 section 3: a name that is not served gets `unrecognized_name`, and no cryptography."""

    @pytest.mark.parametrize(
        "name",
        [
            b"nobody.example",
            b"um.example",
            b"x.mta-sts.um.example",
            b"mta-sts.um.example.",
            b"mta-sts.um.exampl\xe9",
            b"mta-sts.um.example\x00",
            b"mta-sts.um.example\r\n",
            b"../../../etc/passwd",
            b"*.um.example",
            b"192.0.2.1",
            b"\xff\xfe\x00",
        ],
    )
    def test_they_are_refused_with_seven_octets(self, rig: Rig, name: bytes) -> None:
        with capture_logs() as lines:
            assert rig.say(hello_for(name)) == UNRECOGNIZED_NAME
        assert [line["event"] for line in lines] == ["hello_refused"]

    def test_so_is_no_name_at_all(self, rig: Rig) -> None:
        assert rig.say(client_hello(None)) == UNRECOGNIZED_NAME

    def test_a_client_says_so_in_its_own_words(self, rig: Rig) -> None:
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            rig.secure("nobody.example")

    def test_upper_case_is_the_same_name(self, rig: Rig) -> None:
        with rig.connect() as connection:
            connection.sendall(hello_for(f"MTA-STS.{NAME}".upper().encode()))
            assert connection.recv(3) == b"\x16\x03\x03"

    def test_nothing_is_printed(self, rig: Rig, capfd: pytest.CaptureFixture[str]) -> None:
        """RELIABILITY section 4: a name in other than ASCII is no traceback on standard error."""
        with capture_logs():
            rig.say(hello_for(b"mta-sts.um.exampl\xe9"))
            rig.say(b"\x00\x01\x02")
        assert capfd.readouterr() == ("", "")


class TestBrokenHellos:
    """RFC 8446 section 6.2: what is not TLS gets a fatal alert that says why, and the connection ends."""

    @pytest.mark.parametrize(
        ("octets", "alert"),
        [
            (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 10),
            (b"\x80\x2e\x01\x00\x02", 10),
            (b"\x16\x03\x01\x00\x00", 50),
            (b"\x16\x03\x01\xff\xff", 22),
            (b"EHLO there\r\n", 10),
        ],
    )
    def test_each_has_its_alert(self, rig: Rig, octets: bytes, alert: int) -> None:
        with capture_logs() as lines:
            assert rig.say(octets) == b"\x15\x03\x03\x00\x02\x02" + bytes((alert,))
        assert [line["event"] for line in lines] == ["hello_refused"]

    def test_a_hello_of_60000_octets_is_answered_and_the_answer_can_be_read(self, rig: Rig) -> None:
        body = bytes(59_996)
        octets = b"\x01" + len(body).to_bytes(3) + body
        pieces = [octets[at : at + 16384] for at in range(0, len(octets), 16384)]
        assert len(octets) == 60_000
        assert (
            rig.say(b"".join(b"\x16\x03\x01" + len(p).to_bytes(2) + p for p in pieces))
            == UNRECOGNIZED_NAME[:6] + b"\x32"
        )

    def test_a_hello_cut_into_segments_and_records_is_read(self, rig: Rig) -> None:
        hello = client_hello(f"mta-sts.{NAME}")[5:]
        cut = b"".join(b"\x16\x03\x01" + len(p).to_bytes(2) + p for p in (hello[:1], hello[1:100], hello[100:]))
        with rig.connect() as connection:
            for at in range(0, len(cut), 60):
                connection.sendall(cut[at : at + 60])
            assert connection.recv(3) == b"\x16\x03\x03"

    def test_old_versions_get_an_alert(self, rig: Rig) -> None:
        old = rig.authority.client()
        old.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            rig.secure(NAME, old)

    def test_garbage_after_the_hello_ends_the_connection_with_one_line(self, rig: Rig) -> None:
        with capture_logs() as lines, rig.connect() as connection:
            connection.sendall(client_hello(f"mta-sts.{NAME}") + b"\x17\x03\x03\x00\x10" + bytes(16))
            assert drained(connection)[:3] == b"\x16\x03\x03"
        assert [line["event"] for line in lines] == ["tls_failed"]


class TestFence:
    """RFC 8461 section 8.1, RELIABILITY section 5: an edge that may be behind says nothing, so that nothing old is cached."""

    def test_a_fenced_edge_aborts_and_an_open_one_answers(self, authority: Authority) -> None:
        admitted = [True]
        with Rig(table_of(authority, NAME), authority, admit=lambda: admitted[0]).running() as rig:
            with rig.secure(NAME) as talking:
                talking.sendall(get(NAME))
                assert content_of(talking.recv(65536)) == body_of(NAME)
                admitted[0] = False
                with suppress(ConnectionResetError):
                    talking.sendall(get(NAME))
                    assert talking.recv(65536) == b""
            assert rig.say(client_hello(f"mta-sts.{NAME}")) == b""
            assert rig.say(client_hello("nobody.example")) == b""
            admitted[0] = True
            assert content_of(rig.fetch(NAME)) == body_of(NAME)

    def test_it_is_asked_again_before_the_handshake_of_one_who_waited(self, authority: Authority) -> None:
        admitted, gate = [True], threading.Event()

        def slow(sealed: bytes, server_name: str) -> bytes:
            assert gate.wait(60)
            return unseal(sealed, server_name)

        with (
            Rig(table_of(authority, NAME), authority, unseal=slow, admit=lambda: admitted[0]).running() as rig,
            rig.connect() as connection,
        ):
            connection.sendall(client_hello(f"mta-sts.{NAME}"))
            threading.Event().wait(0.1)
            admitted[0] = False
            gate.set()
            assert drained(connection) == b""


class TestSlowKey:
    """RELIABILITY row 18: what one name waits for, no other does."""

    @pytest.mark.parametrize("loop_name", list(LOOPS))
    def test_another_client_is_answered_while_a_context_is_built(self, authority: Authority, loop_name: str) -> None:
        gate = threading.Event()

        def slow(sealed: bytes, server_name: str) -> bytes:
            if server_name == f"mta-sts.{OTHER}":
                assert gate.wait(60)
            return unseal(sealed, server_name)

        table = table_of(authority, NAME, OTHER)
        with Rig(table, authority, unseal=slow, loop_name=loop_name).running() as rig:
            rig.fetch(NAME)
            answers: list[bytes] = []
            waiting = [threading.Thread(target=lambda: answers.append(rig.fetch(OTHER))) for _ in range(3)]
            for thread in waiting:
                thread.start()
            for _ in range(5):
                assert content_of(rig.fetch(NAME)) == body_of(NAME)
            assert answers == []
            gate.set()
            for thread in waiting:
                thread.join(60)
            assert [content_of(answer) for answer in answers] == [body_of(OTHER)] * 3

    def test_one_who_leaves_meanwhile_is_not_missed(self, authority: Authority) -> None:
        gate = threading.Event()

        def slow(sealed: bytes, server_name: str) -> bytes:
            assert gate.wait(60)
            return unseal(sealed, server_name)

        with capture_logs() as lines, Rig(table_of(authority, NAME), authority, unseal=slow).running() as rig:
            for _ in range(3):
                with rig.connect() as connection:
                    connection.sendall(client_hello(f"mta-sts.{NAME}"))
            gate.set()
            assert content_of(rig.fetch(NAME)) == body_of(NAME)
        assert lines == []

    def test_a_key_that_does_not_open_is_an_alert_and_one_line(self, authority: Authority) -> None:
        def broken(sealed: bytes, server_name: str) -> bytes:
            raise TrincoError("the seal does not fit")

        with capture_logs() as lines, Rig(table_of(authority, NAME), authority, unseal=broken).running() as rig:
            answers = {rig.say(client_hello(f"mta-sts.{NAME}")) for _ in range(3)}
        assert answers == {UNRECOGNIZED_NAME[:6] + b"\x50"}
        assert [line["event"] for line in lines] == ["certificate_unusable", "hello_refused", "hello_refused"]
