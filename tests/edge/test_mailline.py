"""Lines of SMTP and the mails between them, as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import Refused
from trinco.edge import mailline
from trinco.edge.mailline import OtherProtocol, command, content, declared, path, token

HOST = "reports.example"


def _outcome(line: bytes) -> object:
    try:
        return command(line)
    except Refused as refusal:
        return refusal.smtp_reply


class TestCommand:
    """RFC 5321 section 2.4: "verbs and argument values are not case sensitive"; a line ends in CRLF alone."""

    @pytest.mark.parametrize(
        ("line", "found"),
        [
            (b"quit\r\n", ("QUIT", None)),
            (b"QUIT \r\n", ("QUIT", None)),
            (b"ehlo  a.example \r\n", ("EHLO", "a.example")),
            (b"MAIL FROM:<\xc3\xa1@b.example> SMTPUTF8\r\n", ("MAIL", "FROM:<á@b.example> SMTPUTF8")),
            (b"NOOP\tx\r\n", "502 5.5.1 No such command"),
            (b"AUTH PLAIN AAAA\r\n", "502 5.5.1 No such command"),
            (b"HELP\r\n", "502 5.5.1 No such command"),
            (b"BDAT 3 LAST\r\n", "502 5.5.1 No such command"),
            (b"Host: reports.example\r\n", "502 5.5.1 No such command"),
            (b"NOOP\n", "500 5.5.2 A line ends in CRLF and has no control characters"),
            (b"NOOP\r\rRSET\r\n", "500 5.5.2 A line ends in CRLF and has no control characters"),
            (b"NOOP \x00\r\n", "500 5.5.2 A line ends in CRLF and has no control characters"),
            (b"NOOP \x1b[2J\r\n", "500 5.5.2 A line ends in CRLF and has no control characters"),
            (b"EHLO \xff\r\n", "501 5.5.2 Not UTF-8"),
            (b"NOOP " + b"x" * 1017 + b"\r\n", ("NOOP", "x" * 1017)),
            (b"NOOP " + b"x" * 1018 + b"\r\n", "500 5.5.6 The line is too long"),
        ],
    )
    def test_what_it_is(self, line: bytes, found: object) -> None:
        assert _outcome(line) == found

    @pytest.mark.parametrize(
        "line",
        [
            b"GET / HTTP/1.1\r\n",
            b"get /\r\n",
            b"POST /v1/tlsrpt/x HTTP/1.1\r\n",
            b"CONNECT reports.example:25 HTTP/1.1\r\n",
            b"PRI * HTTP/2.0\r\n",
            b"REPORT /x HTTP/1.1\r\n",
            b"MAIL FROM:<a@b.example> HTTP/1.1\r\n",
            b"\x16\x03\x01\x02\x00\x01\r\n",
            b"\r\n",
            b"\n",
            b" NOOP\r\n",
            b'{"jsonrpc": "2.0"}\r\n',
            b"*1\r\n",
        ],
    )
    def test_what_is_none(self, line: bytes) -> None:
        """Postfix ends such connections as well (smtpd_forbidden_commands)."""
        with pytest.raises(OtherProtocol):
            command(line)

    @given(st.binary(max_size=60))
    def test_any_octets(self, octets: bytes) -> None:
        try:
            verb, argument = command(octets + b"\r\n")
        except (OtherProtocol, Refused):
            return
        assert (verb in mailline.VERBS, argument is None or argument.isprintable() or bool(argument)) == (True, True)


class TestPath:
    """RFC 5321 section 4.1.2: a path is between angle brackets."""

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("<>", ("", "")),
            ("<> SIZE=1", ("", "SIZE=1")),
            ("<a@b.example>", ("a@b.example", "")),
            ("<a@b.example>  BODY=8BITMIME SIZE=1", ("a@b.example", "BODY=8BITMIME SIZE=1")),
            ("<@x.example:a@b.example>", ("@x.example:a@b.example", "")),
            ('<"a b"@b.example>', None),
            ("a@b.example", None),
            ("<a@b.example", None),
            ("<<a@b.example>>", None),
            ("(((<a@b.example>", None),
            ("<a@b.example>SIZE=1", None),
            ("<" + "a" * 321 + ">", None),
            ("", None),
        ],
    )
    def test_what_it_says(self, text: str, found: object) -> None:
        assert path(text) == found


class TestToken:
    """Exactly `<token>@<reports host>`, in any case: nobody else has a mailbox here."""

    @pytest.mark.parametrize(
        ("address", "found"),
        [
            ("abc234@reports.example", "abc234"),
            ("ABC234@Reports.EXAMPLE", "abc234"),
            ("abc@reports.example.", None),
            ("abc@sub.reports.example", None),
            ("abc@xreports.example", None),
            ("abc@evil.example@reports.example", None),
            ("abc%evil.example@reports.example", None),
            ("evil.example!abc@reports.example", None),
            ("abc+x@reports.example", None),
            ('"abc"@reports.example', None),
            ("@x.example:abc@reports.example", None),
            ("á@reports.example", None),
            ("\u0130@reports.example", None),
            ("\u212a@reports.example", None),
            ("abc@[127.0.0.1]", None),
            ("abc", None),
            ("@reports.example", None),
            ("", None),
        ],
    )
    def test_whose_it_is(self, address: str, found: str | None) -> None:
        assert token(address, HOST) == found


class TestDeclared:
    """RFC 1870 section 4."""

    @pytest.mark.parametrize(
        ("options", "octets"),
        [
            (["SIZE=15"], 15),
            (["BODY=8BITMIME", "SIZE=015"], 15),
            (["SIZE"], 0),
            (["SIZE=\u00b2"], 0),
            (["SIZE=\u0661"], 0),
            (["SIZE=" + "9" * 21], 0),
            ([], 0),
        ],
    )
    def test_how_much(self, options: list[str], octets: int) -> None:
        assert declared(options) == octets


def _content(between: bytes) -> bytes:
    return content(bytearray(b"\r\n" + between + b".\r\n"))


class TestContent:
    """RFC 5321 section 4.5.2: "If the first character is a period and there are other characters on the line, the first
    character is deleted." """

    @pytest.mark.parametrize(
        ("between", "mail"),
        [
            (b"", b""),
            (b"a\r\n", b"a\r\n"),
            (b"..\r\n", b".\r\n"),
            (b"..a\r\n...\r\n", b".a\r\n..\r\n"),
            (b".a\r\n", b"a\r\n"),
            (b"a..\r\n\r\n\r\n", b"a..\r\n\r\n\r\n"),
            (b"a\n.\nb\r\n", b"a\n.\nb\r\n"),
            (b"a\n.\r\nMAIL FROM:<>\r\n", b"a\n.\r\nMAIL FROM:<>\r\n"),
        ],
    )
    def test_the_mail(self, between: bytes, mail: bytes) -> None:
        assert _content(between) == mail

    @pytest.mark.parametrize("between", [b"a\rb\r\n", b"a\r\r\n", b"\r.\r\r\n", b"a\x00\r\n"])
    def test_what_no_mail_has(self, between: bytes) -> None:
        with pytest.raises(Refused, match="not a mail") as refused:
            _content(between)
        assert refused.value.smtp_reply == "550 5.6.0 The mail has a NUL or a carriage return without a line feed"

    @given(st.lists(st.binary(max_size=9).filter(lambda line: not set(line) & {0, 10, 13}), max_size=9))
    def test_what_is_stuffed_comes_back(self, lines: list[bytes]) -> None:
        mail = b"".join(line + b"\r\n" for line in lines)
        stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
        assert _content(stuffed) == mail
