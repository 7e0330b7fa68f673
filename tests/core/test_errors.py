"""The error tree: where a fault lies, and which RFC 8460 word a sender reports for it."""

import pytest

from trinco.core import errors
from trinco.core.tlsrpt.results import RESULT_TYPES


def tree(root: type[errors.TrincoError]) -> set[type[errors.TrincoError]]:
    return {root}.union(*(tree(branch) for branch in root.__subclasses__() if branch.__module__ == errors.__name__))


class TestInputError:
    """An input error keeps what was read and where the fault is, so that a page can underline it."""

    def test_line_and_column_count_from_one(self):
        error = errors.PolicySyntaxError("no", source="one\ntwo\n", span=(4, 7))
        assert (error.line, error.column, str(error), error.reason) == (2, 1, "no", "no")

    def test_first_line(self):
        assert errors.InputError("no", source="abc", span=(2, 3)).column == 3

    @pytest.mark.parametrize("end", ["\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
    def test_only_lf_ends_a_line(self, end):
        error = errors.InputError("no", source=f"a{end}b", span=(2, 3))
        assert (error.line, error.column) == (1, 3)

    def test_without_a_source_there_is_no_place(self):
        error = errors.TooLarge("too large")
        assert (error.line, error.column, error.source, error.span) == (None, None, None, None)

    def test_without_a_span_there_is_no_place(self):
        error = errors.InputError("no", source="abc")
        assert (error.line, error.column) == (None, None)


class TestRefused:
    """An edge's refusal carries the answer of its protocol."""

    def test_answers(self):
        error = errors.Refused("no such path", http_status=404, smtp_reply="550 5.1.1 no")
        assert (str(error), error.reason, error.http_status, error.smtp_reply) == (
            "no such path",
            "no such path",
            404,
            "550 5.1.1 no",
        )


class TestResultTypes:
    """RFC 8460 section 4.3: failures to get a policy are reported under their registered words."""

    def test_words_of_the_tree(self):
        words = {error.__name__: error.result_type for error in tree(errors.TrincoError) if error.result_type}
        assert words == {
            "PolicySyntaxError": "sts-policy-invalid",
            "FetchFailure": "sts-policy-fetch-error",
            "NoPolicy": "sts-policy-fetch-error",
            "PolicyHttpError": "sts-policy-fetch-error",
            "PolicyTlsError": "sts-webpki-invalid",
        }

    def test_every_word_is_registered(self):
        assert {error.result_type for error in tree(errors.TrincoError)} - {None} <= set(RESULT_TYPES)
