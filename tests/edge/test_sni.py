"""The name that a ClientHello asks for, read before any cryptography, and the table in which it is looked up."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.policy_rig import client_hello
from tests.edge.publications import CHAIN, ZONE, change, hosted, label_of, publication

from trinco.core.hosting import Change, Publication
from trinco.core.names import Domain
from trinco.edge.sni import BadHello, Hello, Table, peek
from trinco.edge.tls import Alert

LIMIT = 16 * 1024
NAME = b"mta-sts.um.example"


def extension(kind: int, data: bytes) -> bytes:
    return kind.to_bytes(2) + len(data).to_bytes(2) + data


def server_name(*names: bytes, kind: int = 0) -> bytes:
    entries = b"".join(bytes((kind,)) + len(name).to_bytes(2) + name for name in names)
    return extension(0, len(entries).to_bytes(2) + entries)


def versions(*pairs: int) -> bytes:
    listed = b"".join(pair.to_bytes(2) for pair in pairs)
    return extension(43, bytes((len(listed),)) + listed)


def message(*extensions: bytes, session: bytes = b"") -> bytes:
    """A ClientHello as a handshake message."""
    listed = b"".join(extensions)
    block = len(listed).to_bytes(2) + listed if extensions else b""
    body = b"\x03\x03" + bytes(32) + bytes((len(session),)) + session + b"\x00\x02\x13\x01" + b"\x01\x00" + block
    return b"\x01" + len(body).to_bytes(3) + body


def records(handshake: bytes, *lengths: int) -> bytes:
    """The message cut into records of these lengths, and one with the rest."""
    out = b""
    for length in (*lengths, len(handshake)):
        piece, handshake = handshake[:length], handshake[length:]
        out += b"\x16\x03\x01" + len(piece).to_bytes(2) + piece if piece else b""
    return out


class TestPeek:
    """RFC 6066 section 3: the client names the host it means, so that the server can show the certificate for it."""

    def test_the_name_and_version_of_a_real_client(self) -> None:
        assert peek(client_hello(NAME.decode()), LIMIT) == Hello(NAME, True)

    def test_a_client_of_tls_12_alone(self) -> None:
        context = ssl.create_default_context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        assert peek(client_hello(NAME.decode(), context), LIMIT) == Hello(NAME, False)

    def test_upper_case_is_the_same_name(self) -> None:
        assert peek(records(message(server_name(NAME.upper()))), LIMIT) == Hello(NAME, False)

    def test_the_name_is_found_wherever_it_stands(self) -> None:
        hello = message(extension(10, b"\x00\x02\x00\x1d"), versions(0x0304), server_name(NAME), session=bytes(32))
        assert peek(records(hello), LIMIT) == Hello(NAME, True)

    @pytest.mark.parametrize("tail", [b"", server_name(b""), server_name(NAME, kind=1), extension(0, b"")])
    def test_no_name_and_no_host_name_are_no_name(self, tail: bytes) -> None:
        assert peek(records(message(*([tail] if tail else []))), LIMIT) == Hello(b"", False)

    def test_two_names_are_no_name(self) -> None:
        """RFC 6066 section 3: not more than one name of a type."""
        assert peek(records(message(server_name(NAME, b"other.example"))), LIMIT) == Hello(b"", False)

    @pytest.mark.parametrize(
        ("offered", "found"),
        [
            ((0x0303,), False),
            ((0x0303, 0x0304), True),
            ((0x7A7A, 0x0304), True),
            ((0x0103, 0x0401), False),
            ((0x0103, 0x0403, 0x0304), True),
        ],
    )
    def test_tls13_is_offered_by_its_own_pair_of_octets(self, offered: tuple[int, ...], found: bool) -> None:
        """RFC 8446 section 4.2.1: a list of versions of two octets each."""
        assert peek(records(message(server_name(NAME), versions(*offered))), LIMIT) == Hello(NAME, found)


class TestSegmentsAndRecords:
    """RFC 8446 section 5.1: a handshake message may be cut into several records, and TCP cuts as it likes."""

    def test_nothing_is_known_before_the_last_octet(self) -> None:
        whole = records(message(server_name(NAME)), 1, 1, 1, 40)
        for length in range(len(whole)):
            assert peek(whole[:length], LIMIT) is None
        assert peek(whole, LIMIT) == Hello(NAME, False)

    def test_what_follows_in_records_of_its_own_is_left_alone(self) -> None:
        assert peek(records(message(server_name(NAME))) + b"\x14\x03\x03\x00\x01\x01", LIMIT) == Hello(NAME, False)

    def test_a_hello_of_records_of_one_octet_is_refused(self) -> None:
        with pytest.raises(BadHello, match="too many records"):
            peek(records(message(server_name(NAME)), *[1] * 70), LIMIT)

    @given(st.lists(st.integers(1, 90), max_size=20), st.binary(max_size=32))
    def test_any_cutting_gives_the_same(self, lengths: list[int], session: bytes) -> None:
        hello = message(versions(0x0304), server_name(NAME), session=session)
        assert peek(records(hello, *lengths), LIMIT) == Hello(NAME, True)


class TestBadHellos:
    """RFC 8446 section 6.2: what cannot be decoded gets a fatal alert, and nobody waits for the rest of it."""

    @pytest.mark.parametrize(
        ("octets", "alert"),
        [
            (b"GET / HTTP/1.1\r\n", Alert.UNEXPECTED_MESSAGE),
            (b"\x80", Alert.UNEXPECTED_MESSAGE),
            (b"\x15\x03\x01\x00\x02\x01\x00", Alert.UNEXPECTED_MESSAGE),
            (b"\x16\x03\x01\x00\x04\x02\x00\x00\x00", Alert.UNEXPECTED_MESSAGE),
            (b"\x16\x02\x01\x00\x04", Alert.DECODE_ERROR),
            (b"\x16\x03\x01\x00\x00", Alert.DECODE_ERROR),
            (b"\x16\x03\x01\x40\x01", Alert.RECORD_OVERFLOW),
            (b"\x16\x03\x01\x00\x04\x01\x00\xea\x60", Alert.DECODE_ERROR),
            (records(message(server_name(NAME)) + b"\x01"), Alert.DECODE_ERROR),
        ],
    )
    def test_each_has_its_alert_as_soon_as_it_shows(self, octets: bytes, alert: Alert) -> None:
        with pytest.raises(BadHello) as caught:
            peek(octets, LIMIT)
        assert caught.value.alert is alert

    def test_a_hello_of_60000_octets_is_refused_by_its_header(self) -> None:
        hello = message(server_name(NAME), extension(21, bytes(60_000)))
        assert len(records(hello, 16384, 16384, 16384)) > 60_000
        with pytest.raises(BadHello, match="beyond the limit"):
            peek(records(hello, 16384)[: 5 + 16384], LIMIT)

    def test_a_hello_at_the_limit_is_read(self) -> None:
        hello = message(server_name(NAME), extension(21, bytes(LIMIT - 4 - 75)))
        assert len(hello) <= LIMIT
        assert peek(records(hello), LIMIT) == Hello(NAME, False)

    @pytest.mark.parametrize("at", [38, 39, 40, 43, 45, 46, 49, 50])
    def test_lengths_that_do_not_add_up(self, at: int) -> None:
        hello = bytearray(message(server_name(NAME)))
        hello[at] = 0xFF
        with pytest.raises(BadHello, match="do not add up") as caught:
            peek(records(bytes(hello)), LIMIT)
        assert caught.value.alert is Alert.DECODE_ERROR

    @pytest.mark.parametrize("at", [47, 48, 51, 52, 53, 54, 55])
    def test_a_broken_server_name_is_no_name(self, at: int) -> None:
        hello = bytearray(message(server_name(NAME)))
        hello[at] = 0xFF
        assert peek(records(bytes(hello)), LIMIT) == Hello(b"", False)

    @given(st.binary(max_size=300))
    def test_garbage_raises_nothing_else(self, octets: bytes) -> None:
        for prefix in (b"", b"\x16\x03\x01", b"\x16\x03\x01" + len(octets).to_bytes(2)):
            self._harmless(prefix + octets)

    @given(st.integers(0, 200), st.integers(0, 255), st.integers(0, 200))
    def test_a_damaged_hello_raises_nothing_else(self, at: int, octet: int, cut: int) -> None:
        hello = bytearray(records(message(versions(0x0304), server_name(NAME), session=bytes(32))))
        hello[at % len(hello)] = octet
        self._harmless(bytes(hello))
        self._harmless(bytes(hello[:cut] + hello[cut + 1 :]))

    @staticmethod
    def _harmless(octets: bytes) -> None:
        try:
            found = peek(octets, LIMIT)
        except BadHello:
            return
        assert found is None or isinstance(found.server_name, bytes)


def at(number: int) -> bytes:
    return b"mta-sts.d%d.example" % number


class TestTable:
    """RELIABILITY rows 5 and 6: names are looked up in memory, and exactly `mta-sts.<domain>` is one."""

    def test_what_is_published_is_found_by_its_policy_host(self) -> None:
        table = Table(publication(3))
        assert len(table) == 3
        assert table.hosted(at(1)) == hosted(1, 1)
        assert table.certificate(at(1)) == (hosted(1, 1).certificate, (b"issuer",))

    @pytest.mark.parametrize("name", [b"", b"d1.example", b"x.mta-sts.d1.example", b"mta-sts.d1.example.", b"\xff"])
    def test_no_other_name_is(self, name: bytes) -> None:
        table = Table(publication(3))
        assert (table.hosted(name), table.certificate(name)) == (None, None)

    def test_without_a_policy_a_name_is_not_served(self) -> None:
        table = Table(Publication(1, ZONE, {label_of(1): hosted(1, 1, policy=None)}))
        assert (table.hosted(at(1)), table.certificate(at(1))) == (None, None)

    def test_without_a_certificate_there_is_no_tls(self) -> None:
        table = Table(Publication(1, ZONE, {label_of(1): hosted(1, 1, certificate=None)}))
        assert table.certificate(at(1)) is None

    def test_an_unknown_chain_is_an_empty_one(self) -> None:
        table = Table(Publication(1, ZONE, {label_of(1): hosted(1, 1)}))
        assert table.certificate(at(1)) == (hosted(1, 1).certificate, ())


class TestChanges:
    """A change takes effect for the next question, in the table that is already there."""

    def test_a_changed_domain_replaces_the_one_before(self) -> None:
        table = Table(publication(3))
        table.apply(change(2, 1))
        assert (table.hosted(at(1)), table.hosted(at(2))) == (hosted(1, 2), hosted(2, 1))

    def test_a_removed_label_is_gone(self) -> None:
        table = Table(publication(3))
        table.apply(change(2, removed=(label_of(1), "unknown")))
        assert (table.hosted(at(1)), len(table)) == (None, 2)

    def test_a_policy_that_is_withdrawn_is_gone(self) -> None:
        table = Table(publication(1))
        table.apply(Change(2, ZONE, (hosted(0, 2, policy=None),)))
        assert (table.hosted(at(0)), len(table)) == (None, 0)

    def test_a_whole_change_forgets_what_was(self) -> None:
        table = Table(publication(3))
        table.apply(Change(2, ZONE, (hosted(7, 2),), chains={CHAIN: (b"other",)}, whole=True))
        assert (len(table), table.certificate(at(7))) == (1, (hosted(7, 2).certificate, (b"other",)))

    def test_a_label_that_gets_another_name_leaves_the_old_one(self) -> None:
        table = Table(publication(1))
        table.apply(Change(2, ZONE, (hosted(0, 2, domain=Domain.trusted("outra.example")),)))
        assert (table.hosted(at(0)), len(table)) == (None, 1)

    def test_a_name_taken_over_by_another_label_stays_when_the_old_label_goes(self) -> None:
        new = hosted(1, 2, domain=Domain.trusted("d0.example"))
        table = Table(publication(1))
        table.apply(Change(2, ZONE, (new,)))
        table.apply(change(3, removed=(label_of(0),)))
        assert table.hosted(at(0)) == new

    def test_an_older_revision_never_takes_a_name(self) -> None:
        new = hosted(1, 5, domain=Domain.trusted("d0.example"))
        table = Table(Publication(5, ZONE, {label_of(1): new, label_of(0): hosted(0, 1)}))
        assert table.hosted(at(0)) == new

    @given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30))
    def test_applying_is_the_same_as_building_anew(self, steps: list[tuple[int, bool]]) -> None:
        published = publication(3)
        table = Table(published)
        for revision, (number, removed) in enumerate(steps, 2):
            step = change(revision, *([] if removed else [number]), removed=(label_of(number),) if removed else ())
            published = published.apply(step)
            table.apply(step)
        fresh = Table(published)
        assert [table.hosted(at(n)) for n in range(5)] == [fresh.hosted(at(n)) for n in range(5)]
        assert len(table) == len(fresh)
