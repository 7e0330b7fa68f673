"""Which MX hosts a pattern covers: RFC 8461 section 4.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts.mx import fault, matches, pattern

hosts = st.from_regex(r"([a-z][a-z0-9-]{0,4}[a-z0-9]\.){1,3}[a-z]{2,3}", fullmatch=True)


class TestMatches:
    """4.1: `*` may stand for the entire leftmost label and for nothing else; the rest is compared as names are."""

    @pytest.mark.parametrize(
        ("wanted", "host"),
        [
            ("mail.example.com", "mail.example.com"),
            ("mail.example.com", "MAIL.Example.COM"),
            ("MAIL.Example.COM", "mail.example.com"),
            ("mail.example.com", "mail.example.com."),
            ("*.example.com", "mail.example.com"),
            ("*.example.com", "MAIL.EXAMPLE.com."),
            ("*.EXAMPLE.com", "mail.example.com"),
            ("*.example.com", "xn--mx-gka.example.com"),
            ("*.example.com", "mx_1.example.com"),
            ("*.com", "example.com"),
            ("mail", "mail"),
        ],
    )
    def test_covered(self, wanted, host):
        assert matches(wanted, host)

    @pytest.mark.parametrize(
        ("wanted", "host"),
        [
            ("*.example.com", "example.com"),
            ("*.example.com", "foo.bar.example.com"),
            ("*.example.com", ".example.com"),
            ("*.example.com", "mail.example.com.evil.test"),
            ("*.example.com", "mailexample.com"),
            ("*.example.com", "*.example.com"),
            ("*.example.com", "a*.example.com"),
            ("*.com", "mail.example.com"),
            ("*", "example"),
            ("*", "mail.example.com"),
            ("*.", "mail."),
            ("mail.*", "mail.example"),
            ("ma*.example.com", "mail.example.com"),
            ("*l.example.com", "mail.example.com"),
            ("mail.*.com", "mail.example.com"),
            ("*.*.com", "mail.example.com"),
            (".example.com", "mail.example.com"),
            ("example.com", "mail.example.com"),
            ("mail.example.com", "example.com"),
            ("mail.example.com", "mail.example.com.."),
            ("mail.example.com.", "mail.example.com"),
            ("mail.example.com", ""),
            ("", ""),
            ("", "."),
            ("mail.example.com", "mail.example.com\n"),
            ("mail.example.com", " mail.example.com"),
            ("mail.example.com", "mail\0.example.com"),
            ("192.0.2.1", "192.0.2.1"),
            ("*.0.2.1", "192.0.2.1"),
            ("straße.example", "straße.example"),
            ("mail.example.com", "MAİL.example.com"),
            ("k.example", "\u212a.example"),
            ("*.example.com", "a" * 64 + ".example.com"),
            ("*.example.com", "a." * 130 + "example.com"),
        ],
    )
    def test_not_covered(self, wanted, host):
        assert not matches(wanted, host)

    @given(hosts)
    def test_the_wildcard_is_exactly_one_label(self, host):
        parent = host.partition(".")[2]
        assert matches(f"*.{parent}", host)
        assert not matches(f"*.{host}", host)
        assert not matches(f"*.{parent}", f"deeper.{host}")

    @given(st.text(), st.text())
    def test_any_text(self, wanted, host):
        assert isinstance(matches(wanted, host), bool)


class TestPattern:
    """3.2: the value is the A-label form; what we publish is turned into it, and nothing else is guessed."""

    @pytest.mark.parametrize(
        ("typed", "published"),
        [
            ("mail.example.com", "mail.example.com"),
            ("MAIL.example.com.", "mail.example.com"),
            ("*.Example.com", "*.example.com"),
            ("mx.straße.example", "mx.xn--strae-oqa.example"),
            ("*.straße.example.", "*.xn--strae-oqa.example"),
            ("mx", "mx"),
            ("r3---sn.example", "r3---sn.example"),
        ],
    )
    def test_published(self, typed, published):
        assert pattern(typed) == published
        assert fault(published) is None

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            ".",
            "*",
            "*.",
            "a..b",
            "*.*.example.com",
            "a_b.example.com",
            "192.0.2.1",
            "[192.0.2.1]",
            "a b.example",
            " a.example",
            "a.example\r\nmode: none",
            "ä b.example",
            "ä_.example",
            "ä..example",
            "💩.example",
            "mail。exämple.com",
            "a.\ud800",
            "ü" * 60 + ".example",
            "ä" * 100_000,
        ],
    )
    def test_refused(self, typed):
        with pytest.raises(PolicySyntaxError) as caught:
            pattern(typed)
        assert (caught.value.source, caught.value.span) == (typed, (0, len(typed)))
        assert caught.value.reason.isprintable()

    @given(st.text())
    def test_any_text(self, typed):
        try:
            published = pattern(typed)
        except PolicySyntaxError:
            return
        assert pattern(published) == published
