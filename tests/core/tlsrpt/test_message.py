"""The mail around a report: RFC 8460 section 5.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.tlsrpt.made import (
    LABELS,
    SUBJECT,
    TEXT,
    complaint,
    document,
    mail,
    octets,
    packed,
    part,
    policy_result,
    report,
    result,
    zipped,
)

from trinco.core.errors import InputError, ReportSyntaxError, TooLarge
from trinco.core.tlsrpt import message
from trinco.core.tlsrpt.message import FileName, Mail, Subject, file_name, read, subject
from trinco.core.tlsrpt.parse import forwarded, in_mail, reports

BODY = octets(document())
WHOLE = mail(TEXT, part(packed(BODY), *LABELS))
SECOND = report(report_id="2")
FORWARDED = b"Content-Type: message/rfc822\r\n\r\n" + mail(part(packed(octets(document(report_id="2"))))).replace(
    b"=_1", b"=_2"
)


def refused(data: bytes) -> InputError:
    with pytest.raises(InputError) as caught:
        reports(data)
    return caught.value


class TestMail:
    """5.3: a multipart/report of text and report; TLS-Report-Domain and TLS-Report-Submitter beside the subject."""

    def test_taken_apart(self):
        assert read(WHOLE) == Mail(
            domain="receiver.example",
            submitter="sender.example",
            repeated=(),
            subject=Subject("receiver.example", "sender.example", "5065427c@sender.example"),
            file_names=(FileName("sender.example", "receiver.example", 1774999800, 1775086199, "001"),),
            parts=(b"This is an aggregate TLS report from sender.example\r\n", packed(BODY)),
        )

    def test_the_report_in_it(self):
        assert reports(WHOLE) == in_mail(read(WHOLE)) == [report()]

    def test_line_ends(self):
        assert reports(WHOLE.replace(b"\r\n", b"\n")) == [report()]

    @pytest.mark.parametrize("before", [b"\r\n", b"From sender Fri Apr  3 00:00:00 2026\r\n", b"Return-Path: <>\r\n"])
    def test_what_may_stand_in_front(self, before):
        assert reports(before + WHOLE) == [report()]

    def test_a_mail_without_any_of_it(self):
        assert read(b"X: y\r\n\r\n{}") == Mail("", "", (), None, (), (b"{}",))


class TestHeaders:
    """The submitter's domain is a promise of the sender; a header that stands there twice promises nothing."""

    @pytest.mark.parametrize(
        ("value", "domain"),
        [
            ("Receiver.Example", "receiver.example"),
            (" receiver.example \t", "receiver.example"),
            ("\r\n receiver.example", "receiver.example"),
            ("stra\xdfe.example", ""),
            ("<receiver.example>", ""),
            ("", ""),
            ("x" * 2000, ""),
        ],
    )
    def test_domain(self, value, domain):
        head = f"TLS-Report-Domain: {value}\r\n\r\n{{}}".encode("latin-1")
        assert read(head).domain == domain

    @pytest.mark.parametrize(
        ("second", "domain"), [("other.example", ""), ("RECEIVER.example", "receiver.example"), ("?", "")]
    )
    def test_twice(self, second, domain):
        found = read(f"tls-report-domain: {second}\r\n".encode() + WHOLE)
        assert (found.domain, found.repeated) == (domain, ("TLS-Report-Domain",))

    def test_both_twice(self):
        again = b"TLS-Report-Submitter: a.example\r\nTLS-Report-Domain: b.example\r\n"
        assert read(again + WHOLE).repeated == ("TLS-Report-Domain", "TLS-Report-Submitter")

    def test_in_a_part_they_say_nothing(self):
        assert read(mail(part(BODY, "TLS-Report-Domain: other.example"))).domain == "receiver.example"


class TestSubject:
    """5.3: `Report Domain: D Submitter: S Report-ID: <id>`, folded as RFC 5322 allows."""

    EXPECTED = Subject("receiver.example", "sender.example", "1+receiver.example")

    @pytest.mark.parametrize(
        "text",
        [
            "Report Domain: receiver.example Submitter: sender.example Report-ID: <1+receiver.example>",
            "Report Domain: receiver.example Submitter: sender.example Report-ID:\r\n 1+receiver.example",  # Microsoft
            "Report Domain: receiver.example Submitter: sender.example Report-ID: <1+receiver.example>".replace(
                " ", "\r\n\t"
            ),  # mail.ru
            "Fwd: [EXTERNAL] report domain:Receiver.Example submitter:Sender.Example report-id:<1+receiver.example>",
            "=?utf-8?q?=5BX=5D_Report_Domain=3A_receiver=2Eexample_Submitter=3A?= sender.example "  # noqa: ISC004
            "=?utf-8?b?UmVwb3J0LUlEOiA8MStyZWNlaXZlci5leGFtcGxlPg==?=",
        ],
    )
    def test_forms(self, text):
        assert subject(text) == self.EXPECTED
        assert read(f"Subject: {text}\r\n\r\n{{}}".encode()).subject == self.EXPECTED

    @pytest.mark.parametrize(
        "text",
        ["", "Hello", "Report Domain: a", "Report Domain: a Submitter: b", "=?x?q?Report?=", "=?utf-8?b?a?=", "=?"],
    )
    def test_others(self, text):
        assert subject(text) is None

    @given(st.text() | st.text("=?utf-8bqQB_ é").map("Report Domain: {}".format))
    def test_any_text(self, text):
        found = subject(text)
        assert found is None or all((found.domain, found.submitter, found.report_id))


class TestFileName:
    """5.1, whose own example is folded within the name."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a.example!b.example!1!2.json", FileName("a.example", "b.example", 1, 2, "")),
            ("A.example!B.example!1!2!x9.JSON.GZ", FileName("a.example", "b.example", 1, 2, "x9")),
            ("a.example!b.example!\r\n   1!2.json.gz", FileName("a.example", "b.example", 1, 2, "")),
            ("a.example!b.example!1!2!123456789012345678.json.gz",
             FileName("a.example", "b.example", 1, 2, "123456789012345678")),
        ],
    )  # fmt: skip
    def test_read(self, text, expected):
        assert file_name(text) == expected

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "report.json.gz",
            "a!b!1!2.zip",
            "a!b!-1!2.json",
            "a!b!١!2.json",
            "../a!b!1!2.json",
            "a!b!1!2!.json",
            "a!b!1!2!3!4.json",
            "a!b!1234567890123!2.json",
            "!b!1!2.json",
        ],
    )
    def test_others(self, text):
        assert file_name(text) is None

    @pytest.mark.parametrize(
        "header",
        [
            "Content-Type: application/tlsrpt+json; name*=utf-8''a.example%21b.example%211%212.json",
            "Content-Disposition: attachment; filename*0=\"a.example!b.\"; filename*1=\"example!1!2.json\"",
        ],
    )  # fmt: skip
    def test_in_the_forms_of_rfc_2231(self, header):
        assert read(mail(part(BODY, header))).file_names == (FileName("a.example", "b.example", 1, 2, ""),)

    def test_a_name_that_cannot_be_read_spoils_nothing(self):
        data = mail(part(BODY, "Content-Disposition: attachment; filename*=utf-8'en'%"))
        assert (read(data).file_names, reports(data)) == ((), [report()])


class TestParts:
    """Every part is looked at, by what it begins with, whatever its label says."""

    @pytest.mark.parametrize(
        "label",
        [
            "application/tlsrpt+gzip",
            "application/tlsrpt+json",
            "application/tlsrpt",  # a sample of Stalwart's
            "application/tlsrpt+x-gzip",
            "application/json",  # mail.ru
            "application/octet-stream",
            "text/plain",
            "image/png",
            "nonsense",
        ],
    )
    @pytest.mark.parametrize("content", [BODY, packed(BODY), zipped(BODY), b"\xef\xbb\xbf\r\n" + BODY])
    def test_labels(self, label, content):
        assert reports(mail(TEXT, part(content, f"Content-Type: {label}"))) == [report()]

    def test_a_label_with_its_hyphen_lost(self):
        """`ContentType:`, as Trustwave writes in mails about DMARC."""
        assert reports(mail(TEXT, part(packed(BODY), "ContentType: application/tlsrpt+gzip"))) == [report()]

    @pytest.mark.parametrize(
        "raw",
        [
            b"Content-Type: application/tlsrpt+json\r\n\r\n" + BODY,
            b"Content-Transfer-Encoding: 8BIT\r\n\r\n" + BODY,
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + BODY.replace(b",", b",=\r\n"),
            b"\r\n" + BODY,
        ],
    )
    def test_transfer_encodings(self, raw):
        assert reports(mail(raw)) == [report()]

    def test_microsoft_begins_with_html_and_mail_ru_ends_with_an_empty_text(self):
        html = b"Content-Type: text/html\r\n\r\n<p>This is an aggregate TLS report</p>"
        assert reports(mail(html, part(packed(BODY)), b"Content-Type: text/plain\r\n\r\n")) == [report()]

    def test_all_of_them(self):
        second = octets(document(report_id="2"))
        assert reports(mail(part(packed(BODY)), TEXT, part(zipped(second, BODY)))) == [report(), SECOND, report()]

    def test_in_parts_of_parts(self):
        inner = b"Content-Type: multipart/mixed; boundary=i\r\n\r\n--i\r\n" + part(BODY) + b"\r\n--i--\r\n"
        assert reports(mail(inner)) == [report()]

    def test_in_a_forwarded_mail(self):
        assert reports(mail(TEXT, FORWARDED)) == [SECOND]
        assert forwarded(read(mail(TEXT, FORWARDED)))

    def test_a_mail_that_has_one_itself_is_not_looked_into_further(self):
        """What it encloses is somebody else's: nobody who signs it vouches for that."""
        both = mail(part(BODY), FORWARDED)
        assert (reports(both), forwarded(read(both))) == ([report()], False)

    def test_nothing_is_forwarded_in_a_plain_mail(self):
        assert not forwarded(read(mail(TEXT)))

    def test_a_mail_that_is_nothing_but_the_report(self):
        assert reports(b"TLS-Report-Domain: receiver.example\r\n" + part(packed(BODY))) == [report()]

    @pytest.mark.parametrize("broken", [packed(BODY)[:-3], zipped(BODY)[:50], BODY[:-3], b"\xff\xfe{", packed(b"<a/>")])
    def test_one_that_is_damaged_beside_one_that_is_not(self, broken):
        assert reports(mail(part(broken), part(packed(BODY)))) == [report()]
        assert refused(mail(TEXT, part(broken))).reason

    def test_the_first_fault_is_the_reason(self):
        assert refused(mail(TEXT, part(b"{"), part(packed(BODY)[:-3]))).reason.startswith("not JSON")

    @pytest.mark.parametrize("data", [mail(TEXT), mail(), b"Subject: hello\r\n\r\n", b"A: b"])
    def test_none(self, data):
        assert refused(data).reason == "no part of this mail is a report"

    def test_what_all_of_them_hold_together_is_bounded(self):
        big = packed(BODY + b" " * (11 * 2**20))
        assert reports(mail(part(big))) == [report()]
        assert isinstance(refused(mail(part(big), part(big))), TooLarge)

    def test_damaged_ones_use_up_the_room(self):
        cut = packed(b"{" + b" " * (11 * 2**20))[:-3]
        assert isinstance(refused(mail(part(cut), part(cut), part(packed(BODY)))), TooLarge)


class TestPolicyDomain:
    """Postfix with tlsrpt-reporter names no policy domain where no policy was found: the mail's header says it."""

    BARE = octets(document(policies=[result({"policy-type": "no-policy-found"}), result()]))

    def test_inferred_and_marked(self):
        [found] = reports(mail(part(self.BARE)))
        assert found.policies == (
            policy_result(
                policy_type="no-policy-found",
                policy_string=(),
                mx_host=(),
                policy_domain="receiver.example",
                policy_domain_inferred=True,
            ),
            policy_result(),
        )

    def test_where_the_report_says_it_nothing_around_it_counts(self):
        """5.6: subject, file name and headers give way to the report."""
        other = WHOLE.replace(b"receiver.example", b"other.example").replace(b"sender.example", b"third.example")
        assert reports(other) == [report()]
        assert (read(other).domain, read(other).subject.submitter) == ("other.example", "third.example")

    @pytest.mark.parametrize("second", ["other.example", "?"])
    def test_not_from_headers_that_disagree(self, second):
        [found] = reports(f"TLS-Report-Domain: {second}\r\n".encode() + mail(part(self.BARE)))
        assert (found.policies[0].policy_domain, found.policies[0].policy_domain_inferred) == ("", False)


class TestBounds:
    """A mail is measured before it is parsed."""

    def test_size(self):
        assert refused(WHOLE + b" " * message.MAX_OCTETS).reason == "a mail larger than 15728640 octets"

    @pytest.mark.parametrize("end", [b"\r\n\r\n", b"\n\n", b"\r\r", b""])
    def test_headers(self, end):
        long = b"X: " + b"y" * 102_400 + end
        assert refused(long).reason == "headers larger than 102400 octets"
        assert read(b"X: " + b"y" * 102_397 + b"\n\n" + BODY).parts == (BODY,)

    def test_headers_of_a_part(self):
        long = "Content-Type: text/plain;\r\n" + " a=b;\r\n" * 5000
        assert refused(mail(part(BODY, long.rstrip()))).reason == "a header larger than 8192 octets"

    def test_lines_and_boundaries(self):
        assert refused(mail(*[b"boundary\r\n" * 4000] * 3)).reason == "too many lines and parts"
        assert refused(mail(b"\n" * 3_000_000)).reason == "too many lines and parts"

    def test_parts(self):
        assert reports(mail(*[TEXT] * (message.MAX_PARTS - 2), part(BODY))) == [report()]
        assert refused(mail(*[TEXT] * message.MAX_PARTS, part(BODY))).reason == "more than 100 parts"

    @pytest.mark.parametrize("levels", [21, 90])
    def test_levels(self, levels):
        assert refused(nested(levels)).reason == "parts in more than 20 levels"

    def test_as_many_levels_as_allowed(self):
        assert reports(nested(20)) == [report()]

    def test_so_many_levels_that_the_interpreter_gives_up(self):
        assert refused(b"Content-Type: message/rfc822\r\n\r\n" * 2000 + BODY).reason == "parts in more than 20 levels"


def nested(levels: int) -> bytes:
    head = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(levels))
    return head + part(BODY) + b"".join(b"\r\n--b%d--" % n for n in reversed(range(levels)))


class TestHostileInput:
    """No mail raises anything but the error tree."""

    @given(
        st.integers(0, len(WHOLE)),
        st.binary(max_size=8) | st.sampled_from([b"=?x?=", b"\r\n\r\n", b"*0*=''", b'"', b";"]),
    )
    def test_any_damage(self, at, put):
        assert complaint(reports, WHOLE[:at] + put + WHOLE[at + len(put) :]).isprintable()

    @given(st.binary())
    def test_any_octets(self, data):
        for whole in (
            b"A:" + data,
            b"Content-Type: " + data,
            b"Content-Transfer-Encoding: " + data,
            SUBJECT.encode() + data,
        ):
            assert complaint(read, whole).isprintable()

    @pytest.mark.parametrize(
        "head",
        [
            b"Content-Type: multipart/mixed; boundary*=unknown-8bit''%ff\r\n",
            b"Content-Type: multipart/mixed; boundary*0*=x'y'%; boundary*1=b\r\n",
            b"Content-Type: multipart/mixed; boundary=\"\"\r\n",
            b"Content-Type: message/delivery-status\r\n",
            b"Content-Type: message/external-body\r\n",
            b"Content-Type: \xff/\xff; charset=\xff\r\n",
            b"Content-Transfer-Encoding: \xff\r\n",
            b"Content-Transfer-Encoding: x-uuencode\r\n",
            b"Subject: =?\xff?b?\xff?=\r\n",
            b"From: " + b"(" * 3000 + b"\r\n",
            b"To: " + b"\"<@," * 800 + b"\r\n",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("body", [b"", b"--\r\n{\r\n", b"begin 644 x\r\n#\r\nend\r\n", b"\xff=\xff"])
    def test_odd_headers(self, head, body):
        with pytest.raises(ReportSyntaxError) as caught:
            reports(head + b"\r\n" + body)
        assert caught.value.reason.isprintable()

    def test_what_the_parser_of_mail_itself_raises(self, monkeypatch):
        """None is known after all of the above; one may come with the next release of Python."""
        monkeypatch.setattr(message.BytesFeedParser, "close", failing)
        assert refused(WHOLE).reason == "a mail that cannot be taken apart"

    def test_what_it_raises_for_a_name(self, monkeypatch):
        monkeypatch.setattr(message.Message, "get_filename", failing)
        other = WHOLE.replace(b"attachment;", b"inline;")
        assert (read(other).file_names, reports(other)) == ((), [report()])


def failing(*_):
    raise TypeError
