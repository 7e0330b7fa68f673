"""The certificate of the reports host: served by name, renewed in place, kept on disk, and lent to the mail door."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from pathlib import Path

import dns.message
import dns.rcode
import msgspec
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests import support_tls
from tests.edge.policy_rig import UNRECOGNIZED_NAME, Rig, client_hello, hosted, publication
from tests.edge.publications import CHAIN, ZONE
from tests.edge.publications import hosted as customer
from tests.edge.publications import publication as customers
from tests.edge.report_rig import HOST, post, running, served
from tests.support_tls import Authority

from trinco.core.hosting import Certificate, Change, NameServer, Publication, Zone
from trinco.core.names import Domain
from trinco.edge import generation, mailtls
from trinco.edge.answers import Answers
from trinco.edge.node import _ours
from trinco.edge.serving import Serving
from trinco.edge.snapshot import Store
from trinco.edge.sni import Table

NAME = "um.example"
OURS = Certificate(b"leaf of ours", CHAIN, b"sealed", 1_800_000_000)
CERTIFIED = replace(ZONE, reports_certificate=OURS)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def shown(rig: Rig) -> bytes:
    with rig.secure_for(HOST) as connection:
        certificate = connection.getpeercert(binary_form=True)
        assert certificate is not None
        return certificate


class TestTable:
    """RFC 6066 section 3: the name of the reports host has a certificate of its own."""

    def test_it_is_found_with_its_issuers(self) -> None:
        table = Table(Publication(1, CERTIFIED, {}, {CHAIN: (b"issuer",)}))
        assert table.certificate(HOST.encode()) == (OURS, (b"issuer",))
        assert table.hosted(HOST.encode()) is None
        assert table.certificate(b"x." + HOST.encode()) is None
        assert table.certificate(b"mta-sts." + HOST.encode()) is None

    def test_without_one_the_name_is_unknown(self) -> None:
        table = Table(Publication(1, ZONE))
        assert table.certificate(HOST.encode()) is None

    @pytest.mark.parametrize("whole", [False, True])
    def test_a_change_brings_another_or_takes_it(self, whole: bool) -> None:
        table = Table(Publication(1, ZONE))
        table.apply(Change(2, CERTIFIED, chains={CHAIN: (b"issuer",)}, whole=whole))
        assert table.certificate(HOST.encode()) == (OURS, (b"issuer",))
        table.apply(Change(3, ZONE, whole=whole))
        assert table.certificate(HOST.encode()) is None


class TestOverTheWire:
    """A renewed certificate is what the next connection sees, and the conversations of before go on."""

    def test_the_next_connection_gets_the_new_one(self, authority: Authority) -> None:
        with running(authority) as rig, rig.secure_for(HOST) as before:
            renewed = replace(ZONE, reports_certificate=authority.certificate(HOST))
            rig.do(rig.table.apply, Change(2, renewed))
            assert shown(rig) == renewed.reports_certificate.leaf
            before.sendall(post(b"{}", "Connection: close"))
            assert before.recv(65536).startswith(b"HTTP/1.1 201 ")

    def test_before_there_is_one_the_name_is_refused(self, authority: Authority) -> None:
        table = Table(publication(hosted(authority, NAME), issuers=authority.issuers))
        with Rig(table, authority).running() as rig:
            assert rig.say(client_hello(HOST)) == UNRECOGNIZED_NAME


class TestServing:
    """A changed certificate is noticed like a changed domain, after a restore as well."""

    def test_all_forms_take_it_over(self) -> None:
        serving = Serving(customers(2))
        taken = Change(2, CERTIFIED, chains={CHAIN: (b"issuer",)})
        assert asyncio.run(serving.take(taken)) == taken
        assert serving.held.zone == CERTIFIED
        assert serving.table.certificate(HOST.encode()) == (OURS, (b"issuer",))

    def test_a_whole_change_brings_it_although_no_domain_differs(self) -> None:
        held = customers(2)
        serving = Serving(held)
        whole = Change(1, CERTIFIED, tuple(held.domains.values()), (), held.chains, whole=True)
        narrow = asyncio.run(serving.take(whole))
        assert (narrow.changed, narrow.removed, narrow.zone) == ((), (), CERTIFIED)
        assert serving.table.certificate(HOST.encode()) == (OURS, (b"issuer",))
        assert serving.held == replace(held, zone=CERTIFIED)


class ZoneBefore(msgspec.Struct, frozen=True):
    """The Zone as the version before wrote it."""

    base: Domain
    nameservers: tuple[NameServer, ...]
    policy_addresses: tuple[str, ...]
    panel_addresses: tuple[str, ...] = ()
    reports_host: str = ""
    reports_addresses: tuple[str, ...] = ()
    reports_mx: tuple[tuple[int, str], ...] = ()
    caa: tuple[str, ...] = ()
    hostmaster: str = ""
    ttl: int = 300
    refresh: int = 3600
    retry: int = 600
    expire: int = 1209600
    negative_ttl: int = 300


def before(zone: Zone) -> ZoneBefore:
    return ZoneBefore(**{name: getattr(zone, name) for name in ZoneBefore.__struct_fields__})


def loaded(directory: Path) -> Publication | None:
    store = Store(directory)
    try:
        return store.load()
    finally:
        store.close()


class TestSnapshot:
    """An edge that starts without the database serves the reports host as it did; older files still load."""

    def test_it_comes_back(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        store.save(replace(customers(2), zone=CERTIFIED))
        assert loaded(tmp_path) == replace(customers(2), zone=CERTIFIED)
        renewed = replace(CERTIFIED, reports_certificate=replace(OURS, leaf=b"renewed"))
        store.append(Change(2, renewed))
        store.close()
        assert loaded(tmp_path) == replace(customers(2), revision=2, zone=renewed)

    def test_files_of_the_version_before(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        encode = msgspec.msgpack.Encoder().encode

        class Before:
            """Writes what the version before wrote."""

            @staticmethod
            def encode(value: object) -> bytes:
                zone = getattr(value, "zone", None)
                if zone is None:
                    return encode(value)
                return encode({name: getattr(value, name) for name in value.__struct_fields__} | {"zone": before(zone)})

        store, expected = Store(tmp_path), customers(3)
        monkeypatch.setattr(generation, "_encoder", Before)
        store.save(expected)
        store.append(Change(2, ZONE, (customer(1, 2),)))
        store.close()
        monkeypatch.undo()
        assert b"reports_certificate" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())
        assert loaded(tmp_path) == expected.apply(Change(2, ZONE, (customer(1, 2),)))

    def test_the_version_before_reads_what_is_written_now(self) -> None:
        encoded = msgspec.msgpack.encode(CERTIFIED)
        assert msgspec.msgpack.decode(encoded, type=ZoneBefore) == before(ZONE)

    def test_the_configured_zone_stands_above_it_and_has_its_certificate(self, tmp_path: Path) -> None:
        store = Store(tmp_path)
        store.save(replace(customers(1), zone=CERTIFIED))
        configured = replace(ZONE, ttl=60)
        other = replace(ZONE, reports_host="r2.example.net")
        held = [_ours(store.load(), zone) for zone in (configured, other)]
        store.close()
        assert [found.zone for found in held if found] == [replace(configured, reports_certificate=OURS), other]


class TestNoReportBegetsAReport:
    """RFC 8460 section 5.3.1's aim: the reports host asks for no reports and has no policy, or two hosts would write to
    each other for ever."""

    @pytest.mark.parametrize("name", [f"_smtp._tls.{HOST}", f"_mta-sts.{HOST}", f"_tls.{HOST}", f"mta-sts.{HOST}"])
    @pytest.mark.parametrize("type_", ["TXT", "CNAME", "A", "ANY"])
    def test_nothing_is_there(self, name: str, type_: str) -> None:
        answers = Answers(replace(customers(3), zone=CERTIFIED))
        reply = answers.answer(dns.message.make_query(name, type_).to_wire())
        assert reply is not None
        read = dns.message.from_wire(reply)
        assert (read.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN), read.answer) == (True, [])


def handshake(context: ssl.SSLContext, authority: Authority, version: ssl.TLSVersion) -> bytes:
    """The certificate that a client gets, which trusts the authority and checks the name."""
    ours, theirs = socket.socketpair()
    client = ssl.create_default_context(cadata=authority.pem)
    client.minimum_version = client.maximum_version = version

    def serve() -> None:
        with context.wrap_socket(ours, server_side=True) as server:
            server.recv(1)

    thread = threading.Thread(target=serve)
    thread.start()
    with theirs, client.wrap_socket(theirs, server_hostname=HOST) as connection:
        certificate = connection.getpeercert(binary_form=True)
        assert (connection.selected_alpn_protocol(), connection.version()) == (None, version.name.replace("_", "."))
        connection.sendall(b"x")
    thread.join()
    assert certificate is not None
    return certificate


async def soon(tls: mailtls.MailTls, other_than: ssl.SSLContext | None) -> ssl.SSLContext | None:
    async with asyncio.timeout(60):
        while tls() is other_than:
            await asyncio.sleep(0.01)
    return tls()


class TestMail:
    """RFC 3207: STARTTLS at the reports host shows the same certificate, renewed without a pause."""

    @pytest.fixture(autouse=True)
    def often(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mailtls, "LOOK", 0.02)
        monkeypatch.setattr(mailtls, "RETRY_AFTER", 0.05)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_a_client_trusts_it(self, authority: Authority, version: ssl.TLSVersion) -> None:
        table = Table(served(authority))

        async def context() -> ssl.SSLContext | None:
            async with mailtls.kept(table, HOST, support_tls.unseal) as tls:
                return tls()

        made, found = asyncio.run(context()), table.certificate(HOST.encode())
        assert (made is not None, found is not None) == (True, True)
        assert handshake(made, authority, version) == found[0].leaf
        assert (made.verify_mode, made.minimum_version) == (ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2)

    def test_it_is_made_once_for_one_certificate_and_anew_for_another(self, authority: Authority) -> None:
        table, opened = Table(served(authority)), []

        def unseal(sealed: bytes, name: str) -> bytes:
            opened.append(threading.current_thread() is threading.main_thread())
            return support_tls.unseal(sealed, name)

        async def work() -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
            async with mailtls.kept(table, HOST, unseal) as tls:
                first = tls()
                await asyncio.sleep(0.1)
                assert tls() is first
                table.apply(Change(2, replace(ZONE, reports_certificate=authority.certificate(HOST))))
                return first, await soon(tls, first)

        first, second = asyncio.run(work())
        assert (first is not None, second is not None, opened) == (True, True, [False, False])

    def test_before_there_is_one_and_after_it_is_gone_there_is_none(self, authority: Authority) -> None:
        table, certified = Table(Publication(1, ZONE)), served(authority)

        async def work() -> None:
            async with mailtls.kept(table, HOST, support_tls.unseal) as tls:
                assert tls() is None
                table.apply(Change(2, certified.zone, chains=certified.chains))
                assert await soon(tls, None) is not None
                table.apply(Change(3, ZONE))
                assert await soon(tls, tls()) is None

        asyncio.run(work())

    def test_one_that_cannot_be_used_leaves_the_one_before(self, authority: Authority) -> None:
        table, good = Table(served(authority)), authority.certificate(HOST)

        async def work() -> None:
            async with mailtls.kept(table, HOST, support_tls.unseal) as tls:
                first = tls()
                table.apply(Change(2, replace(ZONE, reports_certificate=replace(good, leaf=b"no certificate"))))
                while not lines:
                    await asyncio.sleep(0.02)
                assert (tls() is first, first is not None) == (True, True)
                table.apply(Change(3, replace(ZONE, reports_certificate=good)))
                assert await soon(tls, first) is not None

        with capture_logs() as lines:
            asyncio.run(work())
        assert {(line["event"], line["server_name"]) for line in lines} == {("certificate_unusable", HOST)}
