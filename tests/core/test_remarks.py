"""How a finding is told."""

from trinco.core.remarks import Fault, Kind, Remark, first_fatal, remarks_of, shown

KINDS = {"bad": Kind("error", "{0} is bad", fatal=True), "odd": Kind("warning", "odd")}


class TestRemarks:
    """A remark has severity, line, column, reason, a key for ever and the facts that its reason was made of."""

    def test_by_place(self):
        faults = [Fault(5, 6, "odd"), Fault(0, 2, "bad", ("ab",))]
        assert remarks_of(faults, KINDS, "ab\ncdef") == (
            Remark("error", 1, 1, "ab is bad", "bad", ("ab",)),
            Remark("warning", 2, 3, "odd", "odd", ()),
        )

    def test_the_first_fatal_fault_by_place(self):
        assert first_fatal([Fault(9, 9, "bad"), Fault(1, 2, "odd"), Fault(3, 4, "bad")], KINDS) == Fault(3, 4, "bad")

    def test_no_fatal_fault(self):
        assert first_fatal([Fault(1, 2, "odd")], KINDS) is None


class TestShown:
    """A stranger's text reaches a message as printable ASCII of bounded length."""

    def test_plain(self):
        assert shown("mail.example.com") == "mail.example.com"

    def test_escaped(self):
        assert shown("a\r\n\x1b[31m\x7f\u2028\ud800é") == "a\\x0d\\x0a\\x1b[31m\\x7f\\u2028\\ud800\\xe9"

    def test_cut(self):
        assert shown("a" * 41) == "a" * 40 + "..."
        assert shown("a" * 100, 100) == "a" * 100
