"""Signatures that hold, as dkimpy, a hand and a real resolver make them, and whom they vouch for."""

from __future__ import annotations

import asyncio
import base64

import pytest
from cryptography.hazmat.primitives import serialization
from tests.net.dkim_rig import (
    KEY,
    NOW,
    REPORT,
    SENDER,
    Books,
    Tags,
    books,
    ed_key,
    pem,
    record,
    rsa_key,
    signed,
    verdict,
)
from tests.support_dns import Host, internet, says

from trinco.core.errors import DnsFailure
from trinco.net.dkim import Verdict, verify, vouches
from trinco.net.dkim import signed as covered
from trinco.net.dns import Dns

HOLDS = Verdict(signers=(SENDER,))
TIME = NOW + 10 * 366 * 86400
"""dkimpy signs with the time of now; mails received ten years later are none of the future."""
ED25519 = base64.b64encode(
    ed_key().public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
).decode()


class TestHolds:
    """RFC 8460 section 3: "Reports sent via SMTP MUST contain a valid DKIM signature by the reporting domain." """

    @pytest.mark.parametrize("body", [b"relaxed", b"simple"])
    @pytest.mark.parametrize("head", [b"relaxed", b"simple"])
    def test_what_dkimpy_signs(self, head: bytes, body: bytes) -> None:
        assert verdict(signed(canonicalize=(head, body)), now=TIME) == HOLDS

    def test_what_is_signed_by_hand(self) -> None:
        assert verdict(Tags().signed()) == HOLDS

    @pytest.mark.parametrize("bits", [1024, 2048, 4096])
    def test_rsa_of_any_usual_size(self, bits: int) -> None:
        key = rsa_key(bits)
        assert verdict(signed(privkey=pem(key)), books(record(key=key)), TIME) == HOLDS

    def test_ed25519(self) -> None:
        """RFC 8463."""
        assert verdict(Tags(key=ed_key()).signed(), books(f"v=DKIM1; k=ed25519; p={ED25519}")) == HOLDS

    def test_a_bare_rsa_key(self) -> None:
        """RFC 6376 3.6.1, erratum 3017: some publish an RSAPublicKey instead of a SubjectPublicKeyInfo."""
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.PKCS1
        bare = base64.b64encode(rsa_key().public_key().public_bytes(encoding, form)).decode()
        assert verdict(Tags().signed(), books(f"k=rsa; p={bare}")) == HOLDS

    def test_white_space_that_relays_change(self) -> None:
        mail = signed().replace(b'":  "Sender', b'": "Sender').replace(b"To: token", b"To:\r\n\ttoken")
        assert verdict(mail, now=TIME) == HOLDS

    def test_line_ends_that_a_mailbox_file_changed(self) -> None:
        assert verdict(b"From someone\n" + signed().replace(b"\r\n", b"\n"), now=TIME) == HOLDS

    def test_a_second_signature_when_the_first_does_not(self) -> None:
        mail = Tags({"s": "gone"}).signed()
        assert verdict(signed(mail), now=TIME) == HOLDS
        assert verdict(Tags({"s": "gone"}, mail=signed()).signed(), now=TIME) == HOLDS

    def test_a_signer_above_the_author(self) -> None:
        mail = REPORT.replace(b"tlsrpt@sender.example", b"tlsrpt@corp.sender.example")
        assert verdict(Tags(mail=mail).signed()) == HOLDS

    @pytest.mark.parametrize(
        "author",
        [
            b"tlsrpt@sender.example",
            b"<tlsrpt@SENDER.example>",
            b'"Reports, TLS" <tlsrpt@sender.example>',
            b"=?utf-8?q?Relat=C3=B3rios?= <tlsrpt@sender.example>",
            b"tlsrpt@sender.example (TLS reports)",
            b'"tls rpt"@sender.example',
            b"TLS\r\n reports\r\n <tlsrpt@sender.example>",
        ],
    )
    def test_every_usual_from_field(self, author: bytes) -> None:
        mail = REPORT.replace(b"TLS reports <tlsrpt@sender.example>", author)
        assert verdict(signed(mail), now=TIME) == HOLDS

    def test_microsofts_choice_of_fields(self) -> None:
        names = (b"from", b"date", b"subject", b"message-id", b"content-type", b"mime-version")
        assert verdict(Tags(names=names).signed()) == HOLDS

    def test_googles_choice_of_fields(self) -> None:
        names = (b"to", b"from", b"subject", b"tls-report-submitter", b"tls-report-domain")
        assert verdict(Tags(names=names).signed()) == HOLDS

    def test_a_mail_that_tells_of_no_type(self) -> None:
        mail = b"From: tlsrpt@sender.example\r\n\r\n{}\r\n"
        assert verdict(Tags(names=(b"from",), mail=mail).signed()) == HOLDS


class TestChanged:
    """A mail that was changed on its way, or whose signature was taken from another, vouches for nothing."""

    @pytest.mark.parametrize(
        ("old", "new", "reason"),
        [
            (b'"Sender"', b'"Forger"', "the body is not what was signed"),
            (b"\r\n\r\n\r\n", b"\r\n\r\nmore\r\n", "the body is not what was signed"),
            (b"Domain: um.example", b"Domain: dois.example", "the signature does not fit the mail and its key"),
            (b"From: TLS", b"From: TSL", "the signature does not fit the mail and its key"),
            (b"tlsrpt+json", b"tlsrpt+gzip", "the signature does not fit the mail and its key"),
        ],
    )
    def test_what_is_signed(self, old: bytes, new: bytes, reason: str) -> None:
        assert verdict(signed().replace(old, new), now=TIME) == Verdict(reason=reason)

    def test_another_key(self) -> None:
        dns = books(record(key=rsa_key(1024, 1)))
        assert verdict(Tags().signed(), dns) == Verdict(reason="the signature does not fit the mail and its key")

    def test_ed25519(self) -> None:
        mail = Tags(key=ed_key()).signed().replace(b"From: TLS", b"From: TSL")
        dns = books(f"v=DKIM1; k=ed25519; p={ED25519}")
        assert verdict(mail, dns) == Verdict(reason="the signature does not fit the mail and its key")

    def test_nobody_is_asked_for_a_body_that_was_changed(self) -> None:
        dns = books()
        verdict(signed().replace(b'"Sender"', b'"Forger"'), dns, TIME)
        assert dns.asked == []


class TestVouches:
    """RFC 8460 section 5.3: the submitter is the domain of the report's contact-info."""

    @pytest.mark.parametrize(
        ("signers", "submitter", "found"),
        [
            (("google.com",), "google.com", "google.com"),
            (("google.com",), "GOOGLE.com.", "google.com"),
            (("mail.ru",), "corp.mail.ru", "mail.ru"),
            (("corp.mail.ru",), "mail.ru", ""),
            (("google.com",), "notgoogle.com", ""),
            (("google.com",), "google.com.evil.example", ""),
            (("xn--bcher-kva.example",), "bücher.example", "xn--bcher-kva.example"),
            (("a.example", "b.a.example"), "c.b.a.example", "b.a.example"),
            (("google.com",), "", ""),
            (("google.com",), "not a domain", ""),
            ((), "google.com", ""),
        ],
    )
    def test_the_submitter_or_what_is_below(self, signers: tuple[str, ...], submitter: str, found: str) -> None:
        assert vouches(Verdict(signers), submitter) == found

    def test_a_public_suffix_signs_for_nobody(self) -> None:
        mail = REPORT.replace(b"sender.example", b"sender.co.uk")
        found = verdict(Tags({"d": "co.uk"}, mail=mail).signed())
        assert found == Verdict(reason="the signature is by no mail domain")


class TestDns:
    """A key that is not there is a verdict; a key that could not be asked for is none."""

    def test_nobody_answered(self) -> None:
        with pytest.raises(DnsFailure):
            verdict(Tags().signed(), Books(dead=(KEY,)))

    def test_nobody_answered_for_one_and_another_holds(self) -> None:
        mail = signed(Tags({"s": "slow"}).signed())
        dns = Books(texts={KEY: [record()]}, dead=(f"slow._domainkey.{SENDER}",))
        assert verdict(mail, dns, TIME) == HOLDS

    def test_nobody_answered_for_one_and_another_does_not_hold(self) -> None:
        mail = Tags({"s": "slow"}, mail=Tags({"s": "gone"}).signed()).signed()
        with pytest.raises(DnsFailure):
            verdict(mail, Books(dead=(f"slow._domainkey.{SENDER}",)))

    def test_nobody_is_asked_for_a_signature_that_does_not_count(self) -> None:
        dns = Books(dead=(KEY,))
        assert not verdict(Tags({"l": "10"}).signed(), dns).holds
        assert dns.asked == []

    def test_over_the_wire(self) -> None:
        """CNAMEs are followed, long keys come in several strings, and a zone that is ill is not one without keys."""
        text = record(key=rsa_key(4096))
        strings = " ".join(f'"{text[at : at + 200]}"' for at in range(0, len(text), 200))
        zones = {
            SENDER: "s1._domainkey 300 IN CNAME key.host.example.\n",
            "host.example": f"key 300 IN TXT {strings}\n",
        }
        mail = Tags(key=rsa_key(4096)).signed()
        with internet(zones) as net:
            assert asyncio.run(verify(mail, Dns(net.resolvers), NOW)) == HOLDS
            net.publish("host.example", "")
            found = asyncio.run(verify(mail, Dns(net.resolvers), NOW))
            assert found == Verdict(reason="the signature's key is not in DNS")
            net.hosts["127.0.0.1"] = Host((), says("SERVFAIL"))
            with pytest.raises(DnsFailure):
                asyncio.run(verify(mail, Dns(net.resolvers), NOW))


class TestSigned:
    """RFC 6376 section 5.4: what `h=` does not name may be anything, for all that the signer says."""

    NAME = "TLS-Report-Domain"

    def test_what_the_signature_names(self) -> None:
        assert covered(signed(), SENDER, self.NAME)

    def test_what_it_does_not_name(self) -> None:
        mail = signed(include_headers=(b"from", b"tls-report-submitter"))
        assert (covered(mail, SENDER, self.NAME), covered(mail, SENDER, "TLS-Report-Submitter")) == (False, True)

    def test_one_that_is_added_does_not_help(self) -> None:
        mail = signed(signed(include_headers=(b"from", b"tls-report-submitter")))
        assert not covered(mail, SENDER, self.NAME)

    def test_another_signer_does_not_count(self) -> None:
        assert not covered(signed(), "other.example", self.NAME)

    @pytest.mark.parametrize("mail", [b"", REPORT, b"DKIM-Signature: d=x\r\n" + REPORT])
    def test_nobody(self, mail: bytes) -> None:
        assert not covered(mail, SENDER, self.NAME)
