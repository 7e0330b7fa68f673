"""Certificates that owners bring: what is taken, what is refused, and when one is obtained in their place."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.utils import timezone
from tests import support_panel
from tests.support_acme import configured

from trinco.panel import keyring, rendering
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.certificates import due, events, keeping, own, services, targets
from trinco.panel.certificates.authority import OWN, Issued
from trinco.panel.certificates.errors import CertificateRefused, Fault
from trinco.panel.certificates.judging import MOST, judged
from trinco.panel.certificates.models import Account, Certificate, Event, EventKind, Order
from trinco.panel.certificates.terms import taken_over_at, wanted_at
from trinco.panel.policies.errors import NotHosted

HOST = "mta-sts.correio.example"
NOW = datetime.now(UTC).replace(microsecond=0)
ROOT, MIDDLE, LEAF = "Root", "Intermediate", "leaf"
"""Names of a made-up authority."""
KEYS = {title: ec.generate_private_key(ec.SECP256R1()) for title in (ROOT, MIDDLE)}


def name(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])


def made(title, by, key, *, names=(), days=(-30, 60), purpose=None, digest=None) -> str:
    """A certificate in PEM."""
    builder = x509.CertificateBuilder(name(by), name(title), key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW + timedelta(days=days[0])).not_valid_after(NOW + timedelta(days=days[1]))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(map(x509.DNSName, names)), critical=False)
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
    return builder.sign(KEYS[by], digest or hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def pem(key, form=serialization.PrivateFormat.PKCS8, lock=None) -> str:
    lock = lock or serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, lock).decode()


KEY = ec.generate_private_key(ec.SECP256R1())
ROOT_PEM, MIDDLE_PEM = made(ROOT, ROOT, KEYS[ROOT]), made(MIDDLE, ROOT, KEYS[MIDDLE])


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    path = tmp_path_factory.mktemp("roots") / "root.pem"
    path.write_text(ROOT_PEM)
    return path


def leaf(*names, key=KEY, **options) -> str:
    return made(LEAF, MIDDLE, key, names=names or (HOST,), **options)


def bundle(*parts) -> bytes:
    return "".join(parts).encode()


GOOD = bundle(leaf(), MIDDLE_PEM, pem(KEY))


class TestJudged:
    """RFC 8461 section 3.3: a DNS-ID or a wildcard of one label, a chain to a trusted root, not expired."""

    def test_what_is_taken(self, roots):
        issued = judged(HOST, GOOD, NOW, roots)
        facts = (issued.issuer, issued.directory, issued.not_after, len(issued.chain))
        assert facts == (MIDDLE, OWN, NOW + timedelta(days=60), 1)
        key = serialization.load_der_private_key(issued.key, None)
        assert x509.load_der_x509_certificate(issued.leaf).public_key() == key.public_key() == KEY.public_key()

    @pytest.mark.parametrize(
        "key",
        [ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)],
        ids=["p384", "rsa2048"],
    )
    def test_other_keys(self, roots, key):
        assert judged(HOST, bundle(leaf(key=key), MIDDLE_PEM, pem(key)), NOW, roots).chain

    @pytest.mark.parametrize("names", [["*.correio.example"], ["x.example", HOST], [HOST.upper()]])
    def test_names_that_cover(self, roots, names):
        assert judged(HOST, bundle(leaf(*names), MIDDLE_PEM, pem(KEY)), NOW, roots).chain

    def test_the_root_is_left_out_and_the_key_may_come_first_in_the_old_form(self, roots):
        old = pem(KEY, serialization.PrivateFormat.TraditionalOpenSSL)
        assert len(judged(HOST, bundle(old, leaf(), MIDDLE_PEM, ROOT_PEM), NOW, roots).chain) == 1

    @pytest.mark.parametrize(
        "names",
        [
            ["correio.example"],
            ["*.mta-sts.correio.example"],
            ["*.example"],
            ["mta-*.correio.example"],
            ["*"],
            ["mta-sts.correio.example.evil.example"],
        ],
    )
    def test_names_that_do_not(self, roots, names):
        assert fault(bundle(leaf(*names), MIDDLE_PEM, pem(KEY)), roots) == Fault.NAME

    def test_a_name_in_the_subject_alone_is_none(self, roots):
        assert fault(bundle(made(HOST, MIDDLE, KEY), MIDDLE_PEM, pem(KEY)), roots) == Fault.NAME

    @pytest.mark.parametrize(
        ("days", "wanted"), [((-90, -1), Fault.EXPIRED), ((1, 90), Fault.NOT_YET), ((-80, 6), Fault.ENDS_SOON)]
    )
    def test_dates(self, roots, days, wanted):
        assert fault(bundle(leaf(days=days), MIDDLE_PEM, pem(KEY)), roots) == wanted

    def test_chains(self, roots, tmp_path):
        assert fault(bundle(leaf(), pem(KEY)), roots) == Fault.CHAIN
        assert fault(GOOD, tmp_path / "none.pem") == Fault.CHAIN
        assert fault(bundle(leaf(), ROOT_PEM, MIDDLE_PEM, pem(KEY)), roots) == Fault.ORDER
        assert fault(bundle(MIDDLE_PEM, leaf(), pem(KEY)), roots) == Fault.ORDER
        stale = made(MIDDLE, ROOT, KEYS[MIDDLE], days=(-90, -1))
        assert fault(bundle(leaf(), stale, pem(KEY)), roots) == Fault.CHAIN

    def test_one_that_is_no_authority_issues_nothing(self, roots):
        sub = made(MIDDLE, ROOT, KEYS[MIDDLE], names=("x.example",))
        assert fault(bundle(leaf(), sub, pem(KEY)), roots) == Fault.CHAIN

    def test_purpose(self, roots):
        mail = x509.ExtendedKeyUsageOID.EMAIL_PROTECTION
        assert fault(bundle(leaf(purpose=mail), MIDDLE_PEM, pem(KEY)), roots) == Fault.PURPOSE


def fault(data: bytes, roots) -> Fault | None:
    with pytest.raises(CertificateRefused) as refused:
        judged(HOST, data, NOW, roots)
    assert str(refused.value) == refused.value.fault.value
    return refused.value.fault


class TestHostile:
    """What is no PEM of a certificate and its key is refused in a sentence."""

    OTHER = ec.generate_private_key(ec.SECP256R1())
    LOCK = serialization.BestAvailableEncryption(b"senha")
    OLD = serialization.PrivateFormat.TraditionalOpenSSL
    CASES = (
        (b"", Fault.NO_CERTIFICATE),
        (b"\x30\x82\x03\x00" + b"\0" * 500, Fault.NO_CERTIFICATE),
        (b"-----BEGIN CERTIFICATE-----" * 1000, Fault.NO_CERTIFICATE),
        (bundle(pem(KEY)), Fault.NO_CERTIFICATE),
        (bundle(leaf()), Fault.NO_KEY),
        (bundle(leaf(), MIDDLE_PEM, pem(KEY), pem(OTHER)), Fault.SEVERAL_KEYS),
        (bundle(leaf(), MIDDLE_PEM, pem(OTHER)), Fault.KEY),
        (bundle(leaf(), MIDDLE_PEM, pem(KEY, lock=LOCK)), Fault.ENCRYPTED),
        (bundle(leaf(), MIDDLE_PEM, pem(KEY, OLD, LOCK)), Fault.ENCRYPTED),
        (GOOD + b" " * MOST, Fault.TOO_LARGE),
        (bundle(*[leaf()] * 9, pem(KEY)), Fault.TOO_LARGE),
        (GOOD.replace(b"MII", b"AAA"), Fault.GARBAGE),
        (bundle(leaf(), "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), Fault.GARBAGE),
        (bundle(leaf(), "-----BEGIN CERTIFICATE-----\n\xe9\xff\n-----END CERTIFICATE-----", pem(KEY)), Fault.GARBAGE),
    )

    @pytest.mark.parametrize(("data", "wanted"), CASES, ids=range(len(CASES)))
    def test_it(self, roots, data, wanted):
        assert fault(data, roots) == wanted

    @pytest.mark.parametrize(
        "key",
        [
            ec.generate_private_key(ec.SECP521R1()),
            ec.generate_private_key(ec.SECP256K1()),
            rsa.generate_private_key(65537, 1024),
        ],
        ids=["p521", "k256", "rsa1024"],
    )
    def test_keys_that_are_not_everybodys(self, roots, key):
        assert fault(bundle(leaf(key=key), MIDDLE_PEM, pem(key)), roots) == Fault.KEY_KIND


class TestTerms:
    """The owner is told well before another is obtained in its place."""

    @pytest.mark.parametrize(("life", "told", "taken"), [(398, 14, 7), (90, 14, 7), (30, 10, 5), (6, 2, 1)])
    def test_them(self, life, told, taken):
        end = NOW + timedelta(days=life)
        assert (wanted_at(NOW, end), taken_over_at(NOW, end)) == (
            end - timedelta(days=told),
            end - timedelta(days=taken),
        )


@pytest.fixture
def domain(ours, roots, monkeypatch):
    configured(monkeypatch, acme_ca_file=roots)
    return support_panel.live(ours)


def brought(domain, data: bytes = GOOD) -> None:
    own.bring(domain=domain, actor=support_panel.ANA, pem=data)


def wants(domain, now=NOW) -> bool:
    return due.due(now).filter(pk=domain.pk).exists()


def obtained(domain, days: int, directory: str) -> None:
    """One was obtained by ACME."""
    issued = Issued(b"leaf", (), b"key", "CA", NOW, NOW + timedelta(days=days), directory)
    keeping.store(domain, issued, NOW, lambda: 0.0)


class TestBringing:
    """While it lasts none is ordered; its key rests sealed, and is in no log."""

    def test_it_is_served_in_the_place_of_others_and_none_is_wanted(self, domain):
        obtained(domain, 89, "https://ca.example/dir")
        before = domain.revision
        brought(domain)
        domain.refresh_from_db()
        served = services.current(domain)
        assert (served.directory, served.issuer, wants(domain)) == (OWN, MIDDLE, False)
        assert domain.revision > before
        key = keyring.unseal(bytes(served.sealed_key), HOST)
        assert serialization.load_der_private_key(key, None).public_key() == KEY.public_key()

    def test_what_the_edges_get(self, domain):
        obtained(domain, 89, "https://ca.example/dir")
        brought(domain)
        change = rendering.whole(settings.CONFIG.zone)
        (hosted,) = change.changed
        leaf = x509.load_der_x509_certificate(hosted.certificate.leaf)
        issuers = [x509.load_der_x509_certificate(each).subject for each in change.chains[hosted.certificate.chain]]
        assert (leaf.public_key(), issuers) == (KEY.public_key(), [name(MIDDLE)])

    def test_the_log_says_who_and_which_and_nothing_of_the_key(self, domain):
        brought(domain)
        line = AuditEntry.objects.of(domain.organisation).latest("number")
        assert (line.action, line.subject, set(line.after)) == (
            "certificate.brought",
            domain.name,
            {"issuer", "until", "sha256"},
        )
        assert "PRIVATE" not in str(line.after)

    def test_another_one_takes_its_place_even_a_shorter_one(self, domain):
        brought(domain)
        brought(domain, bundle(leaf(days=(-1, 40)), MIDDLE_PEM, pem(KEY)))
        rows = Certificate.objects.everywhere().filter(domain=domain)
        assert [row.not_after for row in rows] == [NOW + timedelta(days=40)]

    def test_a_refused_one_changes_nothing(self, domain):
        brought(domain)
        held = own.brought(domain)
        with pytest.raises(CertificateRefused):
            brought(domain, b"nonsense")
        assert own.brought(domain) == held

    def test_a_domain_that_is_not_served_has_none(self, ours, roots, monkeypatch):
        configured(monkeypatch, acme_ca_file=roots)
        with pytest.raises(NotHosted):
            brought(support_panel.hosted(ours))
        assert not Certificate.objects.everywhere().exists()


class TestUnderWay:
    """An order that is under way when the owner brings one is given up, and takes nothing away."""

    @pytest.fixture
    def order(self, domain) -> Order:
        times = dict.fromkeys(("created_at", "stage_at", "step_at"), NOW)
        account = Account.objects.create(directory="https://ca.example/dir")
        return Order.objects.everywhere().create(
            account=account, domain=domain, host=HOST, names=[HOST], sealed_key=b"", csr=b"", **times
        )

    def test_it_is_wanted_no_longer(self, domain, order):
        before = targets.wanted(order, NOW)
        brought(domain)
        after_its_turn = NOW + timedelta(days=54)
        assert (before, targets.wanted(order, NOW), targets.wanted(order, after_its_turn)) == (True, False, True)

    def test_what_it_gives_at_the_last_moment_is_left(self, domain, order):
        brought(domain)
        issued = Issued(b"leaf", (), b"key", "CA", NOW, NOW + timedelta(days=90), "https://ca.example/dir")
        targets.store(order, issued, NOW, lambda: 0.0, None)
        assert [row.issuer for row in Certificate.objects.everywhere()] == [MIDDLE]


class TestItsEnd:
    """One is obtained in its place before it ends; without an authority it is served to its end."""

    def test_with_an_authority(self, domain):
        brought(domain)
        moments = [NOW + timedelta(days=60 - left) for left in (7.1, 6.9)]
        assert [wants(domain, moment) for moment in moments] == [False, True]
        obtained(domain, 90, "https://ca.example/dir")
        assert [row.directory for row in Certificate.objects.everywhere()] == ["https://ca.example/dir"]

    def test_without_one(self, domain, monkeypatch):
        configured(monkeypatch, acme_directory="")
        brought(domain)
        moments = [NOW + timedelta(days=60, hours=hours) for hours in (-1, 1)]
        assert [wants(domain, moment) for moment in moments] == [False, True]

    def test_it_is_told_once(self, domain):
        brought(domain)
        for left in (15, 13, 5):
            events.observe(NOW + timedelta(days=60 - left), ())
        (event,) = Event.objects.everywhere()
        assert (event.kind, event.directory, event.domain) == (EventKind.ENDING, OWN, domain)
        brought(domain, bundle(leaf(days=(-1, 89)), MIDDLE_PEM, pem(KEY)))
        events.observe(NOW + timedelta(days=56), ())
        event.refresh_from_db()
        assert event.ended_at is not None


class TestRemoving:
    """Certificates are obtained again at once, and no sender finds none meanwhile."""

    def test_it_is_served_until_the_next_one_is_there(self, domain):
        brought(domain)
        assert own.remove(domain=domain, actor=support_panel.ANA)
        assert (services.current(domain).issuer, own.brought(domain), wants(domain, timezone.now())) == (
            MIDDLE,
            None,
            True,
        )
        obtained(domain, 20, "https://ca.example/dir")
        assert [row.issuer for row in Certificate.objects.everywhere()] == ["CA"]

    def test_it_goes_at_once_where_another_is_there(self, domain):
        obtained(domain, 50, "https://ca.example/dir")
        brought(domain)
        own.remove(domain=domain, actor=support_panel.ANA)
        assert [row.issuer for row in Certificate.objects.everywhere()] == ["CA"]

    def test_without_an_authority_the_development_ca_follows(self, domain, monkeypatch):
        configured(monkeypatch, acme_directory="")
        brought(domain)
        own.remove(domain=domain, actor=support_panel.ANA)
        assert wants(domain, timezone.now())

    def test_the_log_has_it_and_a_second_time_is_nothing(self, domain):
        brought(domain)
        assert [own.remove(domain=domain, actor=support_panel.ANA) for _ in range(2)] == [True, False]
        actions = AuditEntry.objects.of(domain.organisation).order_by("number").values_list("action", flat=True)
        assert list(actions)[-2:] == ["certificate.brought", "certificate.removed"]
