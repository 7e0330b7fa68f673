"""Every text in both languages, and a word for everything that the rooms below can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.password_validation import MinimumLengthValidator
from django.utils import timezone, translation
from tests import support_messages, support_panel

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks import status
from trinco.panel.checks.readiness import TITLES, Gate
from trinco.panel.checks.status import Status
from trinco.panel.domains.models import Finding, Level
from trinco.panel.policies import errors, instructions
from trinco.panel.web import dates, reasons
from trinco.panel.web.presenters.records import ADVICE
from trinco.panel.web.presenters.status import SAYINGS, status_view
from trinco.panel.web.refusals import refusal
from trinco.panel.web.templatetags import trinco as tags

PANEL = Path(reasons.__file__).parents[1]
KEY_FOR_PEOPLE = re.compile(r"\{\{ *[a-z_.]*(?:\bpk|_page_number) *(?:\}\}|\|(?! *unlocalize))")
PLACE = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|\{\}|</?[a-z]+>")


class TestCatalogue:
    """Issue 2: English and Portuguese complete, held against the sources."""

    def test_nothing_is_missing_and_nothing_is_left_over(self) -> None:
        assert set(support_messages.in_catalogue()) == set(support_messages.in_sources())

    def test_nothing_is_untranslated_or_doubtful(self) -> None:
        assert support_messages.untranslated() == []

    def test_a_translation_says_the_same_things(self) -> None:
        """The same placeholders and the same marks, in each form."""
        wrong = []
        for (_, text, plural), message in support_messages.in_catalogue().items():
            forms = message.string if isinstance(message.string, tuple) else (message.string,)
            wanted = [text, plural or text]
            pairs = zip(wanted, forms, strict=False)
            wrong += [(a, b) for a, b in pairs if sorted(PLACE.findall(a)) != sorted(PLACE.findall(b))]
        assert wrong == []

    @pytest.mark.parametrize(
        "brazilian", ["registro", "senha", "arquivo", "usuário", "você", "e-mails", "deletar", "salvar", "tela"]
    )
    def test_it_is_european(self, brazilian: str) -> None:
        """UX: Portuguese is European."""
        texts = [str(message.string).lower() for message in support_messages.in_catalogue().values()]
        allowed = {"você": "é mesmo você?"}
        found = [text for text in texts if re.search(rf"\b{brazilian}\b", text) and text != allowed.get(brazilian)]
        assert found == []


class TestDjango:
    """What Django says of a form is in the language of the page as well."""

    def test_of_a_password(self) -> None:
        with translation.override("pt"):
            said = str(MinimumLengthValidator(12).get_error_message())
        assert said == "Esta palavra-passe é demasiado curta. Deve ter pelo menos 12 caracteres."


class TestStatuses:
    """UX: the problem in words."""

    KEYS = frozenset(re.findall(r"\b([a-z]+(?:-[a-z]+)*)\b", status.Status.__doc__ or ""))

    def test_every_problem_that_checks_find_has_its_words(self) -> None:
        with open(status.__file__, encoding="utf-8") as source:  # noqa: PTH123 - one line
            written = set(re.findall(r'Status\([^)]*?"([a-z-]+)"', source.read()))
        assert written - set(SAYINGS) == set()
        assert set(SAYINGS) <= self.KEYS | written

    @pytest.mark.parametrize("problem", SAYINGS)
    def test_each_is_a_sentence(self, ours: Organisation, problem: str) -> None:
        domain = support_panel.hosted(ours)
        found = Status(
            Level.ATTENTION,
            problem,
            hosts=("mx1.correio.example",),
            record="mta-sts",
            finding=Finding.ELSEWHERE,
            seen="x.example",
            until=timezone.now() + timedelta(days=6, hours=1),
        )
        view = status_view(domain, found)
        assert (bool(view.short), bool(view.sentence), "%(" in view.short + view.sentence + view.advice) == (
            True,
            True,
            False,
        )

    def test_what_is_seen_of_a_record_has_its_advice(self) -> None:
        assert set(ADVICE) == set(Finding) - {Finding.FOUND}

    def test_what_a_gate_asks_is_translated(self) -> None:
        with translation.override("pt-pt"):
            said = {key: str(Gate(key, passed=False).title) for key in TITLES}
        assert [key for key, text in said.items() if text == str(TITLES[key])] == []


class TestRefusals:
    @pytest.mark.parametrize(
        "error",
        [
            errors.UncoveredMx(("mx9.example",)),
            errors.MxUnknown(),
            errors.NothingChanged(),
            errors.NothingToUndo(),
            errors.NoMxYet(),
            errors.AlreadyStarted(),
            errors.NotStarted(),
            errors.NotHosted("leaving"),
            errors.NotHosted("gone"),
            errors.NotHosted("setup"),
            errors.Conflict(3),
        ],
    )
    def test_each_has_words_of_its_own(self, error: errors.PolicyRefused) -> None:
        assert refusal(error) != "This is not possible now."


class TestReasons:
    """Core says its reasons in English; the page says them in the reader's language."""

    @pytest.mark.parametrize(
        "typed",
        [
            "",
            ".",
            "a..example",
            "ana@x.example",
            "http://x",
            "[::1]",
            "a_b.example",
            "*.x.example",
            "a b.example",
            "x\u2028.example",
            "x\u2029.example",
            "x\x00.example",
            "x\u202e.example",
            "x\ud800.example",
            "a．example",
            "x!.example",
            "-a.example",
            "ab--c.example",
            f"{'a' * 64}.example",
            ".".join(["a" * 60] * 5),
            "x.local",
            "x.1",
            "example",
            "co.uk",
            "א1.example\u0661",
            "a" * 2000,
            "xn--a.example",
            "אa.example",
        ],
    )
    def test_every_reason_is_known(self, typed: str) -> None:
        with pytest.raises(DomainSyntaxError) as caught:
            Domain.parse(typed)
        with translation.override("pt-pt"):
            assert reasons.reason(caught.value) != caught.value.reason

    @pytest.mark.parametrize("name", ["digest", "parts"])
    def test_what_the_digest_says_of_an_arrival_is_known(self, name: str) -> None:
        """Every sentence that these modules raise or write down as a reason."""
        tree = ast.parse((PANEL / "reports" / f"{name}.py").read_text(encoding="utf-8"))
        said = [text for node in ast.walk(tree) for text in _reasons(node)]
        with translation.override("pt-pt"):
            assert [text for text in said if reasons.said(text) == text] == []
        assert said


def _reasons(node: ast.AST) -> Iterator[str]:
    """What an exception or `_park` is told, with 7 in place of each value."""
    named = isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"ReportSyntaxError", "TooLarge", "_park"}
    for each in [*node.args] if named and isinstance(node, ast.Call) else []:
        if isinstance(each, ast.Constant):
            yield str(each.value)
        elif isinstance(each, ast.JoinedStr):
            yield "".join(str(one.value) if isinstance(one, ast.Constant) else "7" for one in each.values)


class TestNumbersAndDates:
    def test_dates_of_both_languages(self) -> None:
        moment = timezone.make_aware(timezone.datetime(2026, 11, 3, 4, 5, 6))
        with translation.override("en"):
            english = [dates.day(moment), dates.short_day(moment), dates.minute(moment), dates.second(moment)]
        with translation.override("pt-pt"):
            portuguese = [dates.day(moment), dates.minute(moment)]
        assert english == ["3 November 2026", "3 Nov 2026", "3 Nov 2026 04:05", "3 Nov 2026 04:05:06"]
        assert portuguese == ["3 de novembro de 2026", "3 nov 2026 04:05"]

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            (604_800, "1 week"),
            (1_209_600, "2 weeks"),
            (86_400, "1 day"),
            (7200, "2 hours"),
            (86_401, "86,401 seconds"),
            (0, "0 seconds"),
        ],
    )
    def test_spans(self, seconds: int, said: str) -> None:
        assert tags.span(seconds).replace("86401", "86,401") == said

    @pytest.mark.parametrize(
        ("seconds", "said"),
        [(3, "3 s ago"), (240, "4 min ago"), (7200, "2 h ago"), (90_000, "25 h ago"), (259_200, "3 days ago")],
    )
    def test_how_long_ago(self, seconds: int, said: str) -> None:
        assert tags.ago(timezone.now() - timedelta(seconds=seconds)) == said

    def test_what_is_quoted_is_drawn_as_code_and_nothing_gets_through(self) -> None:
        assert (
            tags.coded("A `3 1 1` record, `<b>` & `") == "A <code>3 1 1</code> record, <code>&lt;b&gt;</code> &amp; `"
        )

    def test_initials(self) -> None:
        assert [tags.initials(name) for name in ("Atlântico MSP", "ana@trinco.example", "")] == ["AM", "AT", ""]

    def test_the_longest_name_fits_its_records(self, ours: Organisation) -> None:
        name = ".".join(["a" * 57] * 4) + ".example"
        domain = support_panel.hosted(ours, name + "")
        assert max(len(each.owner) for each in instructions.instructions(domain)) <= 253


def test_no_template_writes_a_key_or_the_number_of_a_page_as_people_read_numbers() -> None:
    """From 1,000 on it would have a separator, and an address with that in it leads elsewhere."""
    templates = list((PANEL / "web" / "templates").rglob("*.html"))
    assert KEY_FOR_PEOPLE.search("?older={{ row.pk }}")
    assert KEY_FOR_PEOPLE.search("?page={{ page.next_page_number }}")
    assert [path.name for path in templates if KEY_FOR_PEOPLE.search(path.read_text(encoding="utf-8"))] == []
