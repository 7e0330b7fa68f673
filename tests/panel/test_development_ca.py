"""The development CA, held against OpenSSL and against cryptography's verifier."""

from __future__ import annotations

import stat
import subprocess
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from trinco.panel.certificates.development import LEAF_LIFE, DevelopmentAuthority, ensure
from trinco.panel.certificates.errors import AuthorityUnusable
from trinco.panel.seal import Seal

SEAL = Seal(bytes(32))
HOST = "mta-sts.correio.example"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def issued(tmp_path):
    return DevelopmentAuthority.at(tmp_path, SEAL).issue(HOST, NOW)


def root(directory):
    return x509.load_pem_x509_certificate((directory / "ca.pem").read_bytes())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


class TestChain:
    """A sender accepts a chain to a root that it trusts, unexpired, with the host as DNS-ID (RFC 8461 section 3.3)."""

    @pytest.mark.parametrize(("host", "valid"), [(HOST, True), ("correio.example", False), ("mta-sts.example", False)])
    def test_verified_by_cryptography(self, tmp_path, issued, host, valid):
        verifier = PolicyBuilder().store(Store([root(tmp_path)])).time(NOW).build_server_verifier(x509.DNSName(host))
        leaf, *chain = (x509.load_der_x509_certificate(der) for der in (issued.leaf, *issued.chain))
        if valid:
            assert verifier.verify(leaf, chain) == [leaf, *chain, root(tmp_path)]
        else:
            with pytest.raises(VerificationError):
                verifier.verify(leaf, chain)

    def test_verified_by_openssl(self, tmp_path, issued):
        for name, der in (("leaf", issued.leaf), ("chain", issued.chain[0])):
            pem = x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
            (tmp_path / f"{name}.pem").write_bytes(pem)
        command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", HOST]
        command += ["-CAfile", "ca.pem", "-untrusted", "chain.pem", "leaf.pem"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        assert (result.stdout, result.returncode) == ("leaf.pem: OK\n", 0)

    def test_the_leaf(self, issued):
        leaf = x509.load_der_x509_certificate(issued.leaf)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert (list(names.value), names.critical, list(leaf.subject)) == ([x509.DNSName(HOST)], True, [])
        assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
        assert isinstance(leaf.public_key().curve, ec.SECP256R1)
        assert leaf.not_valid_after_utc == issued.not_after == NOW + LEAF_LIFE
        assert leaf.not_valid_before_utc == issued.not_before == NOW - timedelta(hours=1)

    def test_the_longest_name_that_can_be_hosted(self, tmp_path):
        label = "a" * 63
        name = f"mta-sts.{label}.{label}.{label}.{'b' * 42}.example"
        issued = DevelopmentAuthority.at(tmp_path, SEAL).issue(name, NOW)
        leaf = x509.load_der_x509_certificate(issued.leaf)
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert (len(name), names.get_values_for_type(x509.DNSName)) == (250, [name])

    def test_a_new_key_for_each(self, tmp_path):
        authority = DevelopmentAuthority.at(tmp_path, SEAL)
        assert authority.issue(HOST, NOW).key != authority.issue(HOST, NOW).key


class TestFiles:
    """The root is for everybody; the key below it rests sealed; the root's own key is nowhere."""

    def test_modes(self, tmp_path):
        ensure(tmp_path, SEAL)
        found = {str(path.relative_to(tmp_path)): oct(mode(path)) for path in tmp_path.rglob("*") if path.is_file()}
        assert found == {"ca.pem": "0o644", "ca/intermediate.key": "0o600", "ca/intermediate.pem": "0o600"}
        assert mode(tmp_path / "ca") == 0o700

    def test_no_key_in_the_clear(self, tmp_path):
        authority = DevelopmentAuthority.at(tmp_path, SEAL)
        secret = authority.key.private_numbers().private_value.to_bytes(48)
        content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
        assert secret not in content
        assert b"PRIVATE KEY" not in content

    def test_it_is_made_once(self, tmp_path):
        first = DevelopmentAuthority.at(tmp_path, SEAL)
        second = DevelopmentAuthority.at(tmp_path, SEAL)
        assert first.intermediate == second.intermediate

    def test_of_many_that_start_together_one_makes_it(self, tmp_path):
        found = []
        threads = [
            threading.Thread(target=lambda: found.append(DevelopmentAuthority.at(tmp_path, SEAL))) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({authority.intermediate.serial_number for authority in found}) == 1

    def test_one_that_was_cut_short_is_made_anew(self, tmp_path):
        ensure(tmp_path, SEAL)
        (tmp_path / "ca.pem").unlink()
        authority = DevelopmentAuthority.at(tmp_path, SEAL)
        authority.intermediate.verify_directly_issued_by(root(tmp_path))

    @pytest.mark.parametrize("name", ["intermediate.key", "intermediate.pem"])
    @pytest.mark.parametrize("content", [b"", b"junk", None])
    def test_a_damaged_one_says_so(self, tmp_path, name, content):
        ensure(tmp_path, SEAL)
        path = tmp_path / "ca" / name
        path.unlink() if content is None else path.write_bytes(content)
        with pytest.raises(AuthorityUnusable):
            DevelopmentAuthority.at(tmp_path, SEAL)

    def test_another_seal_key_says_so(self, tmp_path):
        ensure(tmp_path, SEAL)
        with pytest.raises(AuthorityUnusable):
            DevelopmentAuthority.at(tmp_path, Seal(b"x" * 32))
