"""Many domains given as a list: each line ends once, whatever is killed in between."""

from __future__ import annotations

import time

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel

from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains import tags
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import imports
from trinco.panel.policies.errors import ImportUnderWay, NothingToImport, TooManyLines
from trinco.panel.policies.import_lines import MOST_LINES, read
from trinco.panel.policies.import_models import DomainImport, Ending, ImportLine, ImportState
from trinco.panel.policies.import_places import Places
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.web.presenters.activity import activity_rows


def given(owner: Organisation, text: str) -> DomainImport:
    return imports.start(organisation=owner, text=text, actor=support_panel.ANA)


def read_alone(text: str) -> list[ImportLine]:
    """A list that names no organisation."""
    return read(text, Places([]))


def worked(job: DomainImport) -> DomainImport:
    """Until nothing is due."""
    while imports.imports_due(timezone.now()):
        pass
    job.refresh_from_db()
    return job


def endings(job: DomainImport) -> dict[int, str]:
    return dict(ImportLine.objects.everywhere().filter(job=job).values_list("number", "ending"))


class TestRead:
    """Issue 5: CSV with formulas, BOM, other delimiters."""

    @pytest.mark.parametrize("mark", [",", ";", "\t"])
    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_any_delimiter_and_line_end(self, mark: str, end: str) -> None:
        lines = read_alone(f"\ufeffDomain{mark}MX{end}{end}A.example.{mark}mx1.a.example *.b.example{end}")
        assert [(line.number, line.name, line.mx) for line in lines] == [
            (3, "a.example", ["mx1.a.example", "*.b.example"])
        ]

    @pytest.mark.parametrize(
        ("text", "ending", "detail"),
        [
            ("=cmd|x!A1", "name", "contains a character that no domain name has ('=')"),
            ("co.uk", "name", "is a public suffix, under which others register their domains; add a domain below it"),
            ("eva@a.example", "name", "contains an @: write the part after it alone, without the mailbox"),
            ("a.example,10.0.0.1", "mx", "10.0.0.1 is no host name"),
            ("a.example,*.com", "wide", "*.com"),
            ("a\0.example", "name", "contains a control character (U+0000)"),
            ('"a.example', "", ""),
        ],
    )
    def test_a_line_with_a_fault(self, text: str, ending: str, detail: str) -> None:
        first, second = read_alone(f"{text}\nb.example")
        assert (first.ending, first.detail) == (ending or "waiting", detail)
        assert (second.ending, second.name) == ("waiting", "b.example")

    def test_the_first_of_a_name_counts(self) -> None:
        lines = read_alone("a.example\nbücher.example\nXN--bcher-kva.example.\n")
        assert [(line.ending, line.detail) for line in lines] == [("waiting", ""), ("waiting", ""), ("twice", "2")]

    @pytest.mark.parametrize("text", ["", "\n \n,,\n", "\ufeff", "domain\n"])
    def test_nothing(self, text: str) -> None:
        with pytest.raises(NothingToImport):
            read_alone(text)

    def test_too_many(self) -> None:
        with pytest.raises(TooManyLines):
            read_alone("a\n" * (MOST_LINES + 1))


class TestWork:
    def test_each_line_has_its_end(self, ours: Organisation, theirs: Organisation) -> None:
        support_panel.hosted(ours, "there.example")
        support_panel.live(theirs, "taken.example")
        support_panel.hosted(theirs, "waits.example")
        text = (
            "new.example\nthere.example\ntaken.example\nwaits.example\nno_name\nnew.example\nwith.example;mx1.w.example"
        )
        job = worked(given(ours, text))
        assert endings(job) == dict(enumerate(["added", "there", "taken", "added", "name", "twice", "added"], 1))
        assert (job.state, job.ended_at is not None) == (ImportState.DONE, True)
        (version,) = PolicyVersion.objects.everywhere().filter(domain__organisation=ours)
        assert (version.domain.name, version.mode, version.mx) == ("with.example", "testing", ["mx1.w.example"])

    def test_each_domain_is_in_the_log_as_by_hand(self, ours: Organisation) -> None:
        worked(given(ours, "a.example\nb.example,mx1.b.example"))
        lines = AuditEntry.objects.of(ours).exclude(action="import.started").order_by("pk")
        assert [(line.action, line.subject, line.actor, line.source) for line in lines] == [
            ("domain.added", "a.example", "ana@example.com", "192.0.2.7"),
            ("domain.added", "b.example", "ana@example.com", "192.0.2.7"),
            ("policy.started", "b.example", "ana@example.com", "192.0.2.7"),
        ]
        one = HostedDomain.objects.of(ours).get(name="a.example")
        assert lines[0].after == {"label": one.label}
        assert one.revision > 0

    def test_a_crash_within_a_portion_undoes_all_of_it(
        self, ours: Organisation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(imports, "_AT_ONCE", 2)
        job = given(ours, "\n".join(f"d{number}.example,mx1.x.example" for number in range(5)))
        imports.imports_due(timezone.now())
        with monkeypatch.context() as broken:
            broken.setattr(imports, "start_many", lambda **_: 1 / 0)
            for _ in range(2):
                with pytest.raises(ZeroDivisionError):
                    imports.imports_due(timezone.now())
        assert list(endings(job).values()) == ["added", "added", "waiting", "waiting", "waiting"]
        assert HostedDomain.objects.of(ours).count() == 2
        worked(job)
        assert set(endings(job).values()) == {"added"}
        assert AuditEntry.objects.of(ours).filter(action="domain.added").count() == 5

    def test_one_that_fails_stands_in_nobodys_way(
        self, ours: Organisation, theirs: Organisation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given(ours, "a.example,mx1.a.example")
        other = given(theirs, "b.example")
        monkeypatch.setattr(imports, "start_many", lambda **_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            imports.imports_due(timezone.now())
        imports.imports_due(timezone.now())
        assert endings(other) == {1: "added"}


class TestTurns:
    def test_stop_and_go_on(self, ours: Organisation) -> None:
        job = given(ours, "a.example")
        imports.stop(job=job, actor=support_panel.ANA)
        assert (imports.imports_due(timezone.now()), job.state, endings(job)) == (0, "stopped", {1: "waiting"})
        imports.go_on(job=job, actor=support_panel.ANA)
        assert endings(worked(job)) == {1: "added"}

    def test_what_is_done_stays_done(self, ours: Organisation) -> None:
        job = worked(given(ours, "a.example"))
        imports.go_on(job=job, actor=support_panel.ANA)
        imports.stop(job=job, actor=support_panel.ANA)
        assert job.state == ImportState.DONE

    def test_one_at_a_time(self, ours: Organisation, theirs: Organisation) -> None:
        first = given(ours, "a.example")
        given(theirs, "a.example")
        with pytest.raises(ImportUnderWay):
            given(ours, "b.example")
        imports.stop(job=first, actor=support_panel.ANA)
        given(ours, "b.example")
        with pytest.raises(ImportUnderWay):
            imports.go_on(job=first, actor=support_panel.ANA)

    def test_old_ones_go_and_their_domains_stay(self, ours: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(imports, "KEPT", 1)
        for name in ("a.example", "b.example", "c.example"):
            worked(given(ours, name))
        texts = ImportLine.objects.of(ours).values_list("text", flat=True).order_by("pk")
        assert list(texts) == ["b.example", "c.example"]
        assert HostedDomain.objects.of(ours).count() == 3


class TestTags:
    """Tags come in a column of their own."""

    def test_on_what_is_added_and_what_was_there(self, ours: Organisation) -> None:
        there = support_panel.hosted(ours, "a.example")
        worked(given(ours, "domain;mx;tags\na.example;;North\nb.example;mx.b.example;gov|NORTH\nc.example"))
        tagged = {row.name: tags.names_of(row) for row in HostedDomain.objects.of(ours)}
        assert tagged == {"a.example": ["North"], "b.example": ["gov", "North"], "c.example": []}
        assert tags.names_of(there) == ["North"]

    def test_one_line_of_the_log_tells_of_what_is_new(self, ours: Organisation) -> None:
        there = support_panel.hosted(ours, "a.example")
        tags.put_on(organisation=ours, domains=[there], names=["North"], actor=support_panel.ANA)
        last = AuditEntry.objects.of(ours).order_by("pk").last()
        worked(given(ours, "domain;mx;tags\na.example;;GOV\nb.example;;gov|NORTH\nc.example"))
        lines = AuditEntry.objects.of(ours).filter(pk__gt=last.pk).exclude(action="import.started").order_by("pk")
        assert [(line.action, line.subject, line.before.get("tags"), line.after.get("tags")) for line in lines] == [
            ("domain.added", "b.example", None, ["GOV", "North"]),
            ("domain.added", "c.example", None, None),
            ("domain.tagged", "a.example", ["North"], ["GOV", "North"]),
        ]
        assert tags.names_of(HostedDomain.objects.of(ours).get(name="b.example")) == ["GOV", "North"]
        (row, *_) = activity_rows(lines)
        assert (row.word, row.details) == ("Domain added", ("+GOV +North",))

    def test_a_tag_that_is_none(self, ours: Organisation) -> None:
        job = given(ours, "domain,tags\na.example,x\u202ey\nb.example,gov")
        line = job.lines.get(number=2)
        assert (line.ending, line.detail) == (Ending.TAGS, "contains a character that cannot be seen (U+202E)")

    def test_more_than_there_may_be(self, ours: Organisation) -> None:
        lines = [f"d{number}.example,t{number}" for number in range(tags.MOST + 1)]
        job = given(ours, "\n".join(["domain,tags", *lines, "e.example,T0"]))
        ended = dict(job.lines.exclude(ending=Ending.WAITING).values_list("name", "detail"))
        assert ended == {f"d{tags.MOST}.example": "more than 100 tags"}


@pytest.mark.slow
class TestTenThousand:
    """Issue 5: bulk import of 10,000 domains under 60 s on SQLite; queries bounded."""

    def test_time_and_queries(self, ours: Organisation) -> None:
        began = time.monotonic()
        lines = (f"d{number}.example,mx1.d{number}.example,t{number % 50}|gov" for number in range(10_000))
        text = "\n".join(["domain,mx,tags", *lines])
        job = given(ours, text)
        with CaptureQueriesContext(connection) as queries:
            worked(job)
        spent = time.monotonic() - began
        assert HostedDomain.objects.of(ours).count() == 10_000
        print(f"{spent:.1f} s, {len(queries) / 10_000} queries a domain")
        assert len(queries) < 20_000
        assert spent < 60
