"""Mails that were made to hurt: each costs no more than its length, and none makes anything else than a verdict."""

from __future__ import annotations

import base64
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.net.dkim_rig import KEY, REPORT, SENDER, Books, Tags, books, record, signed, verdict

from trinco.core.errors import DnsFailure, TrincoError
from trinco.core.tlsrpt import message
from trinco.net.dkim import Verdict, vouches

SIZE = 15 * 1024 * 1024 - 2000


def _bodied(body: bytes, **tags: str) -> bytes:
    """A signed mail with this body, five times: nobody looks at more."""
    mail = REPORT.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + body
    value = "; ".join(f"{name}={text}" for name, text in tags.items())
    line = f"DKIM-Signature: v=1; a=rsa-sha256; d={SENDER}; s=s1; h=from:content-type; bh=AAAA; b=AAAA; {value}\r\n"
    return line.encode() * 5 + mail


RELAXED = {"c": "relaxed/relaxed"}
HOSTILE = {
    "a long From": REPORT.replace(b"tlsrpt@", b"(" * 3000),
    "comments in a From": REPORT.replace(b"TLS reports", b"(" * 400 + b")" * 400),
    "quotation marks in a From": REPORT.replace(b"TLS reports", b'"\\' * 400),
    "fields": b"a:\r\n" * 100_000 + REPORT,
    "one field": b"a: " + b"\r\n b" * 300_000 + REPORT,
    "no field": b"a" * SIZE,
    "empty lines in front": b"\r\n" * (SIZE // 2) + REPORT,
    "white space": _bodied(b" " * SIZE, **RELAXED),
    "white space and words": _bodied(b" \tx" * (SIZE // 3), **RELAXED),
    "spaces before line ends": _bodied(b"  \r\n" * (SIZE // 4), **RELAXED),
    "line ends": _bodied(b"\r\n" * (SIZE // 2), **RELAXED),
    "bare line ends": _bodied(b"\n" * SIZE, **RELAXED),
    "line ends and words": _bodied(b"x\r\n" * (SIZE // 3)),
    "one line": _bodied(b"x" * SIZE),
    "nested parts": _bodied(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" * 200_000),
    "gaps in a signature": _bodied(b"x", z="b " + "\r\n " * 2000),
    "many tags": _bodied(b"x", **{f"z{n}": "" for n in range(1000)}),
    "names": _bodied(b"x", j="1").replace(b"h=from", b"h=" + b"a:" * 3000 + b"from"),
}


class TestBounded:
    """Bounded time, whatever stands in 15 MiB. The figure has room for a machine that does other things."""

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_mail_costs_its_length(self, name: str) -> None:
        assert len(HOSTILE[name]) <= message.MAX_OCTETS
        started = time.process_time()
        assert not verdict(HOSTILE[name]).holds
        assert time.process_time() - started < 4

    def test_too_large(self) -> None:
        assert verdict(b"a" * (message.MAX_OCTETS + 1)) == Verdict(reason="unparsable: the mail is too large")

    def test_a_key_that_takes_long(self) -> None:
        """A TXT record may have 64 KB: RSA with such a key would take minutes."""
        number = (1 << 9000) | 1
        octets = number.to_bytes(1126, "big")
        modulus = b"\x02\x82" + len(octets).to_bytes(2, "big") + octets
        bare = b"\x30\x82" + (len(modulus) * 2).to_bytes(2, "big") + modulus * 2
        started = time.process_time()
        found = verdict(Tags().signed(), books(f"k=rsa; p={base64.b64encode(bare).decode()}"))
        assert (found.holds, time.process_time() - started < 1) == (False, True)

    def test_a_good_mail_of_full_size(self) -> None:
        mail = REPORT + b"<base64> of a report that a large sender made\r\n" * 250_000
        started = time.process_time()
        assert verdict(Tags(mail=mail).signed()).signers == (SENDER,)
        assert time.process_time() - started < 4


class TestForged:
    """ "Reports lacking such a signature MUST be ignored" (RFC 8460 section 3): none of these vouches for anybody."""

    @pytest.mark.parametrize("owner", ["evil.example", "sender.example.evil.example", "xsender.example"])
    def test_a_strangers_signature_under_the_senders_name(self, owner: str) -> None:
        dns = Books(texts={f"s1._domainkey.{owner}": [record()]})
        for mail in (REPORT, REPORT.replace(b"@sender.example>", b"@" + owner.encode() + b">")):
            found = verdict(Tags({"d": owner}, mail=mail).signed(), dns)
            assert vouches(found, SENDER) == ""

    def test_a_good_mail_with_another_report_in_front(self) -> None:
        """What a lenient reader takes for the end of the fields must not hide from the verifier."""
        good = signed()
        for end in (b"\r\r", b"\n\n", b"\r\n\r\n", b"\r\n\n", b"\n\r\n", b"\r\r\n", b"\x0b\x0b", b"\x85\x85", b"\x00"):
            mail = b"X: y" + end + b'{"organization-name": "Forger"}\r\n' + good
            if verdict(mail).holds:
                assert not any(b"Forger" in part for part in message.read(mail).parts)


def _reread(mail: bytes) -> tuple[bytes, ...]:
    with suppress(TrincoError):
        return message.read(mail).parts
    return ()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_no_octets_make_it_fail(octets: bytes) -> None:
    assert isinstance(verdict(octets), Verdict)


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_no_change_of_a_signed_mail_changes_the_report(data: st.DataObject) -> None:
    """Whatever is put in, left out or repeated: the verdict goes, or the report is the one that was signed."""
    mail = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mail)))
        cut = data.draw(st.integers(0, 3))
        mail[at : at + cut] = data.draw(st.sampled_from(SPLINTERS) | st.binary(max_size=3))
    changed = bytes(mail)
    if verdict(changed).holds:
        assert [b"".join(part.split()) for part in _reread(changed)] == [b"".join(part.split()) for part in PARTS]


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=80) | st.sampled_from(["v=DKIM1; k=rsa; p=", "k=ed25519;p=", "t=s;h=sha256;p="]),
    st.binary(max_size=60),
)
def test_no_record_makes_it_fail(text: str, octets: bytes) -> None:
    key = base64.b64encode(octets).decode()
    for record_text in (text, f"{text}{key}", f"{text};p={key}"):
        assert not verdict(GOOD, Books(texts={KEY: [record_text]})).holds


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["v", "a", "b", "bh", "c", "d", "h", "i", "l", "q", "s", "t", "x", "z"]), st.text(max_size=20)
    )
)
def test_no_tags_make_it_fail(tags: dict[str, str]) -> None:
    try:
        value = "".join(f"{name}={text};" for name, text in tags.items())
        found = verdict(b"DKIM-Signature: " + value.encode("utf-8", "replace") + b"\r\n" + REPORT)
    except DnsFailure:
        return
    assert not found.holds


GOOD = Tags(tags={"c": "relaxed/relaxed"}, mail=REPORT.replace(b"  ", b" ").replace(b" \r\n", b"\r\n")).signed()
PARTS = message.read(GOOD).parts
SPLINTERS = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\x00",
    b"From: ",
    b"From ",
    b":",
    b" ",
    b"\t",
    b";",
    b"=",
    b"\xff",
    b"\x85",
]
