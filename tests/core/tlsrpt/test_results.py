"""What the words of a report mean: RFC 8460 sections 4.3 and 4.4."""

import pytest

from trinco.core.tlsrpt.results import (
    POLICY_TYPES,
    REASON_CODES,
    RESULT_TYPES,
    Severity,
    Side,
    policy_type,
    reason_code,
    result,
)

ALL = [*RESULT_TYPES.values(), *POLICY_TYPES.values(), *REASON_CODES.values()]


class TestWords:
    """4.3 lists the result types, with sts-policy-fetch-error in the published RFC; 4.4 the three policy types."""

    def test_result_types(self):
        assert set(RESULT_TYPES) == {
            "starttls-not-supported",
            "certificate-host-mismatch",
            "certificate-expired",
            "certificate-not-trusted",
            "validation-failure",
            "tlsa-invalid",
            "dnssec-invalid",
            "dane-required",
            "sts-policy-fetch-error",
            "sts-policy-invalid",
            "sts-webpki-invalid",
        }

    def test_policy_types(self):
        assert set(POLICY_TYPES) == {"sts", "tlsa", "no-policy-found"}

    def test_reason_codes(self):
        assert {"MX_HOSTS_MISMATCH", "VALIDATION_FAILURE", "tls-handshake-failure"} <= set(REASON_CODES)

    def test_each_under_its_own_word(self):
        assert all(
            one.word == word for table in (RESULT_TYPES, POLICY_TYPES, REASON_CODES) for word, one in table.items()
        )


class TestTexts:
    """Each has a sentence, a cause, something to do, a severity and a side."""

    @pytest.mark.parametrize("one", ALL, ids=lambda one: one.word)
    def test_complete(self, one):
        for text in (one.meaning, one.cause, one.action):
            assert text.endswith(".")
            assert text.isprintable()
            assert "  " not in text
            assert "{" not in text  # a translation's source: no placeholders to fill
        assert isinstance(one.severity, Severity)
        assert isinstance(one.side, Side)

    def test_no_text_stands_for_two_words(self):
        assert len({one.meaning for one in ALL}) == len(ALL)

    def test_the_tables_cannot_be_changed(self):
        with pytest.raises(TypeError):
            RESULT_TYPES["x"] = ALL[0]
        with pytest.raises(AttributeError):
            ALL[0].word = "x"


class TestUnknownWords:
    """4.3: the list is expected to grow: a word that is not known stays as it is."""

    def test_known(self):
        assert result("sts-webpki-invalid").side is Side.POLICY
        assert policy_type("tlsa").severity is Severity.INFO
        assert reason_code("MX_HOSTS_MISMATCH").side is Side.POLICY

    @pytest.mark.parametrize("word", ["", "STARTTLS-NOT-SUPPORTED", "new-in-2030", "sts\n", "\ud800"])
    def test_unknown(self, word):
        assert (result(word), policy_type(word), reason_code(word)) == (None, None, None)
