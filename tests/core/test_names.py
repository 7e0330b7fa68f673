"""Which names are mail domains that can be hosted, and what every other text is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain, registrable


def refused(text) -> DomainSyntaxError:
    with pytest.raises(DomainSyntaxError) as caught:
        Domain.parse(text)
    return caught.value


class TestForm:
    """RFC 1035 2.3.3, RFC 1123 2.1: names are compared without case; a host name is letters, digits and hyphens."""

    @pytest.mark.parametrize(
        ("typed", "ascii_form", "readable"),
        [
            ("example.com", "example.com", "example.com"),
            ("Example.COM", "example.com", "example.com"),
            ("example.com.", "example.com", "example.com"),
            ("correio.example", "correio.example", "correio.example"),
            ("a.b.c.example.org", "a.b.c.example.org", "a.b.c.example.org"),
            ("9-9.example", "9-9.example", "9-9.example"),
            ("straße.example", "xn--strae-oqa.example", "straße.example"),
            ("STRASSE.example", "strasse.example", "strasse.example"),
            ("XN--STRAE-OQA.example", "xn--strae-oqa.example", "straße.example"),
            ("Ação.example", "xn--ao-siap.example", "ação.example"),
            ("ａｂｃ.example", "abc.example", "abc.example"),
            ("例え.example", "xn--r8jz45g.example", "例え.example"),
            ("عربي.example", "xn--ngbrx4e.example", "عربي.example"),
            ("نامه\u200cای.example", "xn--mgba3gch31f060k.example", "نامه\u200cای.example"),
        ],
    )
    def test_accepted(self, typed, ascii_form, readable):
        domain = Domain.parse(typed)
        assert (str(domain), domain.ascii, domain.unicode) == (ascii_form, ascii_form, readable)

    def test_one_name_one_value(self):
        assert len({Domain.parse("Straße.example"), Domain.parse("xn--strae-oqa.example.")}) == 1

    def test_sharp_s_is_not_ss(self):
        """UTS #46 non-transitional: the two names have different owners."""
        assert Domain.parse("straße.example") != Domain.parse("strasse.example")

    def test_order_is_that_of_the_text(self):
        assert sorted(map(Domain.parse, ["b.example", "a.example"])) == [
            Domain.parse("a.example"),
            Domain.parse("b.example"),
        ]

    def test_longest_name(self):
        """RFC 1035 2.3.4 allows 253; `_smtp._tls.` in front leaves 242."""
        longest = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 42, "example"])
        assert (len(longest), str(Domain.parse(longest))) == (242, longest)
        error = refused(longest.replace("d.", "dd."))
        assert (error.span, error.reason[:32]) == ((0, 243), "has 243 octets; 242 leave room f")

    def test_longest_label(self):
        assert str(Domain.parse("a" * 63 + ".example"))
        assert refused("x." + "a" * 64 + ".example").span == (2, 66)

    def test_label_too_long_once_it_is_encoded(self):
        assert refused("ü" * 60 + ".example").span == (0, 60)


class TestCharacters:
    """Whatever no name has is refused, with the place of it: what looks like a name must be that name."""

    @pytest.mark.parametrize(
        ("text", "at", "word"),
        [
            ("ex ample.com", 2, "space"),
            (" example.com", 0, "space"),
            ("example.com ", 11, "space"),
            ("a\u00a0b.com", 1, "space"),
            ("a\u3000b.com", 1, "space"),
            ("a\tb.com", 1, "control"),
            ("example.com\n", 11, "control"),
            ("a\0b.com", 1, "control"),
            ("a\x85b.com", 1, "control"),
            ("a\x7fb.com", 1, "control"),
            ("a\u2028b.com", 1, "line separator"),
            ("a\u2029b.com", 1, "paragraph separator"),
            ("a\u202eb.com", 1, "invisible"),
            ("a\u2066b.com", 1, "invisible"),
            ("a\u200eb.com", 1, "invisible"),
            ("a\u200bb.com", 1, "invisible"),
            ("ex\u00adample.com", 2, "invisible"),
            ("a\ufe0fb.com", 1, "invisible"),
            ("\ufeffexample.com", 0, "invisible"),
            ("a\ud800b.com", 1, "half of a character"),
            ("a。b.com", 1, "dot"),
            ("a．b.com", 1, "dot"),
            ("a｡b.com", 1, "dot"),
            ("a․b.com", 1, "dot"),
            ("a…com", 1, "dot"),
            ("user@example.com", 4, "@"),
            ("https://example.com", 5, "colon"),
            ("example.com/x", 11, "slash"),
            ("example.com:25", 11, "colon"),
            ("_mta-sts.example.com", 0, "underscore"),
            ("*.example.com", 0, "asterisk"),
            ("[192.0.2.1]", 0, "bracket"),
            ("[IPv6:2001:db8::1]", 0, "bracket"),
            ("2001:db8::1", 4, "colon"),
            ("<b>.com", 0, "no domain name has"),
            ("a'b.com", 1, "no domain name has"),
            ("a\\b.com", 1, "no domain name has"),
            ("℀.com", 0, "no domain name has"),
            ("a＿b.com", 1, "no domain name has"),
            ("a\ue000.com", 1, "no domain name has"),
        ],
    )
    def test_refused_with_its_place(self, text, at, word):
        error = refused(text)
        assert (error.source, error.span, error.column) == (text, (at, at + 1), at + 1)
        assert word in error.reason

    def test_the_reason_is_printable(self):
        for text in ("a\u202eb.com", "a\ud800.com", "a\x1b[31m.com", "\ue000.com"):
            assert refused(text).reason.isprintable()


class TestLabels:
    """RFC 5891 4.2.3, RFC 5892, RFC 5893: what a label is."""

    @pytest.mark.parametrize(
        ("text", "span"),
        [
            ("a..b", (2, 3)),
            (".example.com", (0, 1)),
            ("example.com..", (12, 13)),
            ("..", (0, 1)),
            ("-a.example", (0, 2)),
            ("a-.example", (0, 2)),
            ("x.-.example", (2, 3)),
            ("ab--cd.example", (0, 6)),
            ("xn--a.example", (0, 5)),
            ("xn--.example", (0, 4)),
            ("XN--A-.example", (0, 6)),
            ("xn--abc-.example", (0, 8)),
            ("xn--strasse-.example", (0, 12)),
            ("💩.example", (0, 1)),
            ("a\u200db.example", (0, 3)),
            ("\u0301a.example", (0, 2)),
            ("a·b.example", (0, 3)),
        ],
    )
    def test_refused_with_its_place(self, text, span):
        error = refused(text)
        assert (error.source, error.span) == (text, span)

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("-a.example", "has a label that begins or ends with a hyphen"),
            ("a-.example", "has a label that begins or ends with a hyphen"),
            ("ab--c.example", "has hyphens in the third and fourth place of a label, which IDNA reserves"),
            ("a" * 64 + ".example", "has a label of 64 characters; 63 are allowed"),
        ],
    )
    def test_plain_words_for_plain_faults(self, text, reason):
        assert refused(text).reason == reason

    @pytest.mark.parametrize("text", ["a--b.example", "a-b--c.example", "abc--d.example"])
    def test_hyphens_elsewhere(self, text):
        assert str(Domain.parse(text)) == text

    @pytest.mark.parametrize("text", ["", "."])
    def test_nothing(self, text):
        assert refused(text).reason == "a domain name is missing"

    @pytest.mark.parametrize("text", ["1.עברית.example", "עברית-1a.example", "א1.a-1b.2.example"])
    def test_bidi(self, text):
        """RFC 5893 2: one right-to-left label puts each label of the name under the rule."""
        assert refused(text).span is not None

    def test_label_that_expands(self):
        """A fullwidth capital maps to a lower-case letter: what counts is the mapped label."""
        assert str(Domain.parse("Ｅxample.example")) == "example.example"


class TestPlace:
    """Names at which no mail domain of a customer can be."""

    @pytest.mark.parametrize("text", ["com", "example", "localhost", "xn--p1ai"])
    def test_one_label(self, text):
        assert refused(text).span == (0, len(text))

    @pytest.mark.parametrize("text", ["192.0.2.1", "1.2.3.4.", "example.123", "１.２.３.４", "a.0x7f", "a.0x", "a.0"])
    def test_numeric_last_label(self, text):
        """RFC 1123 2.1, RFC 3696 2: a last label of digits makes it an address."""
        assert "number" in refused(text).reason

    @pytest.mark.parametrize(
        "last", ["localhost", "local", "onion", "invalid", "test", "internal", "alt", "arpa", "LOCAL", "home.arpa"]
    )
    def test_special_use(self, last):
        """RFC 6761, 6762, 7686, 8375, 9476: never reached by mail from outside."""
        assert "reserved" in refused(f"mail.{last}").reason

    @pytest.mark.parametrize("name", ["example.com", "mail.example.com", "example.net", "correio.example", "a.example"])
    def test_documentation_names_are_let_through(self, name):
        assert str(Domain.parse(name)) == name

    @pytest.mark.parametrize(
        "suffix", ["co.uk", "com.br", "github.io", "公司.香港", "xn--55qx5d.xn--j6w193g", "anything.ck"]
    )
    def test_public_suffix(self, suffix):
        assert "public suffix" in refused(suffix).reason
        assert Domain.parse(f"name.{suffix}")

    def test_exception_of_the_list(self):
        """`!www.ck` takes that one name out of `*.ck`."""
        assert str(Domain.parse("www.ck")) == "www.ck"

    def test_unknown_top_level_domain(self):
        assert str(Domain.parse("name.nosuchtld")) == "name.nosuchtld"


class TestRegistrable:
    """The name that somebody has registered, at or above another."""

    @pytest.mark.parametrize(
        ("name", "owned"),
        [
            ("mail.google.com", "google.com"),
            ("a.banco.com.br", "banco.com.br"),
            ("x.duckdns.org", "duckdns.org"),
            ("com.br", "com.br"),
            ("", ""),
        ],
    )
    def test_whose_a_name_is(self, name, owned):
        assert registrable(name) == owned


class TestHostileInput:
    """No input raises anything but the error tree, and none takes long."""

    @pytest.mark.parametrize("value", [None, 3, b"example.com", bytearray(b"x"), ["example.com"], object()])
    def test_not_text(self, value):
        assert refused(value).reason == "a domain name is text"

    @pytest.mark.parametrize("text", ["a." * 600 + "example", "a" * 10_000_000, "\u0301" * 5000, "." * 2000])
    def test_huge(self, text):
        error = refused(text)
        assert (error.source, error.span) == (None, None)

    @given(
        st.text(st.characters(categories=["L", "M", "N", "P", "S", "Z", "C"])) | st.text("ab1-.xnß٠日א*_ ", max_size=40)
    )
    def test_any_text(self, text):
        try:
            domain = Domain.parse(text)
        except DomainSyntaxError:
            return
        assert Domain.parse(str(domain)) == domain
        assert Domain.parse(domain.unicode) == domain
        assert str(domain) == str(domain).lower()
        assert str(domain).isascii()

    @given(st.from_regex(r"([a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?\.){1,4}example", fullmatch=True))
    def test_any_ascii_host_name(self, name):
        """Letters, digits and hyphens are accepted unless IDNA reserves the label."""
        reserved = any(label[2:4] == "--" for label in name.split("."))
        if not reserved:
            assert str(Domain.parse(name.upper())) == name


class TestTrusted:
    """Values that were parsed before are taken as they are."""

    def test_same_value(self):
        assert Domain.trusted("example.com") == Domain.parse("example.com")

    def test_nothing_is_checked(self):
        assert str(Domain.trusted("mta-sts." + "a" * 250)) == "mta-sts." + "a" * 250

    def test_what_is_no_a_label_stays_readable(self):
        assert Domain.trusted("xn--a.example").unicode == "xn--a.example"


class TestConstructor:
    """A value is valid from birth: the constructor takes the canonical form and nothing else."""

    @pytest.mark.parametrize("name", ["example.com", "xn--strae-oqa.example", "a.b"])
    def test_canonical(self, name):
        assert Domain(name) == Domain.trusted(name)

    @pytest.mark.parametrize(
        "name",
        ["", "com", "Example.com", "example.com.", "a..b", "a\n.b", "a.b\n", "-a.b", "a.1", "a_b.c", "é.b", 3, None],
    )
    def test_anything_else(self, name):
        with pytest.raises(DomainSyntaxError):
            Domain(name)

    def test_too_long(self):
        with pytest.raises(DomainSyntaxError):
            Domain("a." * 120 + "example")

    def test_frozen(self):
        with pytest.raises(AttributeError):
            Domain("a.example").ascii = "b.example"
