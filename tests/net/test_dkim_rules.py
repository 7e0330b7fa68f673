"""Each rule on signatures, keys and mails, by itself: what does not count, and why."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.net.dkim_rig import FIELDS, KEY, NOW, REPORT, SENDER, Books, Tags, books, ed_key, record, rsa_key, verdict

from trinco.net.dkim import Verdict

HOLDS = Verdict(signers=(SENDER,))
SIGNATURE = [
    ({"l": "30"}, "the signature covers a part of the body alone (l=)"),
    ({"a": "rsa-sha1"}, "the signature's algorithm is not taken"),
    ({"a": "rsa-sha512"}, "the signature's algorithm is not taken"),
    ({"a": "ed25519-sha256"}, "the signature's key is of another kind"),
    ({"x": str(int(NOW) - 301)}, "the signature has expired"),
    ({"t": str(int(NOW) + 301)}, "the signature's time is to come"),
    ({"t": str(int(NOW)), "x": str(int(NOW) - 1)}, "the signature has expired"),
    ({"t": "soon"}, "the signature's time cannot be read"),
    ({"x": "-1"}, "the signature's time cannot be read"),
    ({"t": "9" * 5000}, "the signature's time cannot be read"),
    ({"v": "2"}, "the signature is not whole"),
    ({"v": None}, "the signature is not whole"),
    ({"bh": None}, "the signature is not whole"),
    ({"h": None}, "the signature is not whole"),
    ({"q": "dns/key"}, "the signature is not whole"),
    ({"bh": "%%%"}, "the signature cannot be read"),
    ({"junk": "a; b"}, "the signature cannot be read"),
    ({"c": "loose/loose"}, "the signature's canonical form is unknown"),
    ({"d": "elsewhere.example"}, f"elsewhere.example signed for a mail from {SENDER}"),
    ({"d": "below.sender.example"}, f"below.sender.example signed for a mail from {SENDER}"),
    ({"d": "example"}, "the signature is by no mail domain"),
    ({"d": "bücher.example"}, "the signature is by no mail domain"),
    ({"i": "@other.example"}, "the signature's identity is outside its domain"),
    ({"i": "@notsender.example"}, "the signature's identity is outside its domain"),
    ({"s": "two words"}, "the signature's selector is no name"),
    ({"s": "a..b"}, "the signature's selector is no name"),
    ({"s": "a" * 64}, "the signature's selector is no name"),
    ({"s": ".".join(["a" * 60] * 4)}, "the signature's selector is no name"),
    ({"s": "gone"}, "the signature's key is not in DNS"),
    ({"h": "subject:content-type"}, "the signature does not cover the From field"),
    ({"h": "from:subject"}, "the signature covers neither TLS-Report-Submitter nor Content-Type"),
    ({"h": "from:content-type" + ":a" * 200}, "the signature names too many fields"),
    ({"z": "a" * 8192}, "the signature is too large"),
    ({"z": "a" + "\r\n " * 40 + "b"}, "the signature is too large"),
]
RECORDS = [
    ("v=DKIM1; p=", "the signature's key was withdrawn"),
    ("v=DKIM1; p=AAAA", "the signature's key cannot be read"),
    ("v=DKIM1; p=%%%%", "the signature's key cannot be read"),
    ("v=DKIM1; k=ed25519; p=AAAA", "the signature's key cannot be read"),
    ("v=DKIM1; k=dsa; p=AAAA", "the signature's key is of an unknown kind"),
    (record("v=DKIM1; t=y"), "the signature's key is on trial (t=y)"),
    (record("v=DKIM1; t=s:y"), "the signature's key is on trial (t=y)"),
    (record("v=DKIM1; h=sha1"), "the signature's key is not for SHA-256 (h=)"),
    (record("v=DKIM1; s=email"), "the signature's key is not for TLS reports (s=)"),
    (record("v=DKIM1; s="), "the signature's key is not for TLS reports (s=)"),
    (record("v=DKIM2"), "the signature's key is not in DNS"),
    (record("v=DKIM1; k=rsa; k=rsa"), "the signature's key is not in DNS"),
    ("v=spf1 -all", "the signature's key is not in DNS"),
    ("p=" + "A" * 5000, "the signature's key is not in DNS"),
]
USABLE = ["v=DKIM1; s=tlsrpt", "v=DKIM1; s=*", "v=DKIM1; s=email : tlsrpt", "v=DKIM1; h=sha1:sha256", "k=rsa; n=a note"]


class TestSignature:
    """RFC 6376 section 3.5, RFC 8301, and "DKIM signatures must not use the l= attribute" (RFC 8460 section 3)."""

    @pytest.mark.parametrize(("tags", "reason"), SIGNATURE, ids=[str(tags)[:40] for tags, _ in SIGNATURE])
    def test_what_does_not_count(self, tags: dict[str, str | None], reason: str) -> None:
        assert verdict(Tags(tags).signed()) == Verdict(reason=reason)

    @pytest.mark.parametrize(
        "tags",
        [
            {"x": str(int(NOW) - 299)},
            {"t": str(int(NOW) + 299)},
            {"i": "tlsrpt@reports.sender.example"},
            {"i": "@sender.example"},
            {"q": "dns/txt"},
            {"d": "SENDER.example"},
            {"darn": "um.example"},
        ],
    )
    def test_what_counts(self, tags: dict[str, str | None]) -> None:
        assert verdict(Tags(tags).signed()) == HOLDS

    def test_a_tag_that_stands_there_twice(self) -> None:
        mail = Tags({"d": f"{SENDER}; d={SENDER}"}).signed()
        assert verdict(mail) == Verdict(reason="the signature cannot be read")

    def test_five_are_looked_at_and_six_are_too_many(self) -> None:
        mail = REPORT
        for number in range(4):
            mail = Tags({"s": f"gone{number}"}, mail=mail).signed()
        dns = books()
        assert verdict(Tags(mail=mail).signed(), dns) == HOLDS
        assert len(dns.asked) == 5
        six = Tags(mail=Tags({"s": "gone5"}, mail=mail).signed()).signed()
        dns = books()
        assert verdict(six, dns) == Verdict(reason="the mail has more than 5 signatures")
        assert dns.asked == []

    def test_each_reason_is_told_once(self) -> None:
        mail = Tags({"s": "gone"}, mail=Tags({"s": "lost"}, mail=Tags({"l": "1"}).signed()).signed()).signed()
        reasons = "the signature's key is not in DNS; the signature covers a part of the body alone (l=)"
        assert verdict(mail) == Verdict(reason=reasons)


class TestKey:
    """RFC 6376 section 3.6.1, RFC 8301 section 3.2, and the service type of RFC 8460 section 3."""

    @pytest.mark.parametrize(("text", "reason"), RECORDS, ids=[text[:30] for text, _ in RECORDS])
    def test_what_does_not_count(self, text: str, reason: str) -> None:
        assert verdict(Tags().signed(), books(text)) == Verdict(reason=reason)

    @pytest.mark.parametrize("tags", USABLE)
    def test_what_counts(self, tags: str) -> None:
        assert verdict(Tags().signed(), books(record(tags))) == HOLDS

    def test_a_short_one(self) -> None:
        short = rsa.RSAPublicNumbers(65537, (1 << 1022) | 1).public_key()
        found = verdict(Tags().signed(), books(record(key=short)))
        assert found == Verdict(reason="the signature's key has 1023 bits")

    def test_one_for_its_domain_alone(self) -> None:
        dns = books(record("v=DKIM1; t=s"))
        assert verdict(Tags({"i": "@sender.example"}).signed(), dns) == HOLDS
        found = verdict(Tags({"i": "@reports.sender.example"}).signed(), dns)
        assert found == Verdict(reason="the signature's key is for its domain alone (t=s)")

    def test_the_algorithm_of_another_kind(self) -> None:
        """dkimpy goes by the key alone, and takes an Ed25519 signature that says it is RSA."""
        found = verdict(
            Tags({"a": "rsa-sha256"}, key=ed_key()).signed(), books("v=DKIM1; k=ed25519; p=" + "A" * 43 + "=")
        )
        assert found == Verdict(reason="the signature's key is of another kind")

    def test_several(self) -> None:
        dns = Books(texts={KEY: [record(), record(key=rsa_key(1024, 1))]})
        assert verdict(Tags().signed(), dns) == Verdict(reason="several keys stand in DNS for the signature")

    def test_one_among_other_texts(self) -> None:
        dns = Books(texts={KEY: ["v=spf1 -all", "a note", record(), ""]})
        assert verdict(Tags().signed(), dns) == HOLDS


def _with(line: bytes) -> bytes:
    """A mail that was signed, and got another field on its way."""
    return line + b"\r\n" + Tags().signed()


def _signed_from(author: bytes) -> bytes:
    return Tags(mail=REPORT.replace(b"TLS reports <tlsrpt@sender.example>", author)).signed()


NOT_ONE_ADDRESS = "the From field is not one plain address"
MAILS: list[tuple[Any, str]] = [
    (REPORT, "the mail is not signed"),
    (b"", "unparsable: a line among the header fields is none"),
    (b"\r\n\r\n", "unparsable: a line among the header fields is none"),
    (b"Subject: x\r\n\r\nFrom: y@sender.example\r\n", "the mail has no From field"),
    (_with(b"From: other@sender.example"), "the mail has more than one field From"),
    (_with(b"tls-report-domain: dois.example"), "the mail has more than one field Tls-Report-Domain"),
    (_with(b"TLS-Report-Submitter: sender.example"), "the mail has more than one field Tls-Report-Submitter"),
    (_with(b"Content-Type: text/plain"), "the mail has more than one field Content-Type"),
    (_with(b"A: b\r\revil"), "unparsable: a carriage return without a line feed"),
    (_with(b"Subject : x"), "unparsable: a line among the header fields is none"),
    (_with(b"no field"), "unparsable: a line among the header fields is none"),
    (_with(b": empty"), "unparsable: a line among the header fields is none"),
    (b" folded: first\r\n" + Tags().signed(), "unparsable: a line among the header fields is none"),
    (_with(b"A: b\r\nFrom someone"), "unparsable: a line among the header fields is none"),
    (_with(b"\r\n".join([b"a: b"] * 1000)), "unparsable: too many header fields"),
    (_with(b"a: " + b"b" * 110_000), "unparsable: the header fields are too large"),
    (_signed_from(b"a@sender.example, b@other.example"), NOT_ONE_ADDRESS),
    (_signed_from(b"other@x.example <tlsrpt@sender.example>"), NOT_ONE_ADDRESS),
    (_signed_from(b"<tlsrpt@sender.example> <o@x.example>"), NOT_ONE_ADDRESS),
    (_signed_from(b"reports: tlsrpt@sender.example;"), NOT_ONE_ADDRESS),
    (_signed_from(b"<@x.example:tlsrpt@sender.example>"), NOT_ONE_ADDRESS),
    (_signed_from(b"tlsrpt@[192.0.2.1]"), NOT_ONE_ADDRESS),
    (_signed_from(b"nobody"), NOT_ONE_ADDRESS),
    (_signed_from(b"a" * 3000 + b"@sender.example"), NOT_ONE_ADDRESS),
    (_signed_from(b"tlsrpt@localhost"), "the From field's address is in no mail domain"),
    (_signed_from(b"tlsrpt@\xff.example"), "the From field's address is in no mail domain"),
]


class TestMail:
    """Where two readers of a mail may differ, a signature covers one content and the report is in the other."""

    @pytest.mark.parametrize(("mail", "reason"), MAILS, ids=[f"{n}-{why[:30]}" for n, (_, why) in enumerate(MAILS)])
    def test_what_does_not_count(self, mail: bytes, reason: str) -> None:
        dns = books()
        assert verdict(mail, dns) == Verdict(reason=reason)
        assert dns.asked == []

    def test_a_replayed_mail_with_another_structure(self) -> None:
        """A signature that leaves the type open does not say where in a text somebody's words become a report."""
        names = [name for name in FIELDS if name not in (b"content-type", b"tls-report-submitter")]
        mail = Tags(names=names, mail=REPORT.replace(b"Content-Type: application/tlsrpt+json\r\n", b"")).signed()
        assert verdict(mail) == HOLDS
        typed = b'Content-Type: multipart/mixed; boundary="x"\r\n' + mail
        reason = "the signature covers neither TLS-Report-Submitter nor Content-Type"
        assert verdict(typed) == Verdict(reason=reason)
