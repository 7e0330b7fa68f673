"""A provider's list: each line goes to the organisation that it names, if the person may, and that one's log says so."""

from __future__ import annotations

import csv
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel, support_web

from trinco.panel.accounts.models import AuditEntry, Organisation, Role
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import imports
from trinco.panel.policies.errors import UnknownColumn
from trinco.panel.policies.import_columns import Row, rows
from trinco.panel.policies.import_models import DomainImport, ImportLine

PAGE = "/domains/import/"


class TestColumns:
    """A first line that names the columns says in which order they come, and how all lines are cut."""

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("a.example,mx.a.example", [(1, "a.example", None, "mx.a.example")]),
            ("domain;mx\na.example;m1 m2", [(2, "a.example", None, "m1 m2")]),
            ("organisation,domain,mx\nNorte,a.example,m1", [(2, "a.example", "Norte", "m1")]),
            ('Cliente;Domínio\r\n"Norte; Lda.";a.example\r\n', [(2, "a.example", "Norte; Lda.", "")]),
            ('client,domain\n"Norte, ""o"" Lda.",a.example', [(2, "a.example", 'Norte, "o" Lda.', "")]),
            ("domain\torganisation\na.example\tNorte, Lda.", [(2, "a.example", "Norte, Lda.", "")]),
            ("sep=;\r\ndomain;organisation\r\na.example;N", [(3, "a.example", "N", "")]),
            ("domain,organisation\na.example", [(2, "a.example", "", "")]),
            ("domain,mx,\na.example,m1,m2", [(2, "a.example", None, "m1 m2")]),
            ('domain,organisation\n"a.example,N\nb.example,N', [(2, "a.example,N", "", ""), (3, "b.example", "N", "")]),
            ("\n\n domain , client \n\na.example,N", [(5, "a.example", "N", "")]),
        ],
    )
    def test_what_is_read(self, text: str, told: list[tuple[int, str, str | None, str]]) -> None:
        assert list(rows(text)) == [Row(*each) for each in told]

    @pytest.mark.parametrize("column", ["mode", "=1+1", "organisation"])
    def test_a_column_that_says_nothing_here(self, column: str) -> None:
        with pytest.raises(UnknownColumn, match=re.escape(column)):
            list(rows(f"domain,organisation,{column}\na.example,N,x"))


@pytest.fixture
def norte(ours: Organisation) -> Organisation:
    return Organisation.objects.create(name="Norte", parent=ours)


@pytest.fixture
def sul(ours: Organisation) -> Organisation:
    return Organisation.objects.create(name="Sul, Lda.", parent=ours)


def given(organisation: Organisation, text: str, person: Client | None = None) -> dict[int, tuple[str, str]]:
    """(ending, whose) of each line of a list that was posted and worked off."""
    client = person or support_web.browser(support_web.owner_of(organisation))
    answer = client.post(f"/o/{organisation.pk}{PAGE}", {"text": text})
    assert answer.status_code == 302
    while imports.imports_due(timezone.now()):
        pass
    lines = ImportLine.objects.of(organisation).select_related("client")
    lines = lines.filter(job=DomainImport.objects.of(organisation)[0])
    return {line.number: (line.ending, line.client.name if line.client else "") for line in lines}


class TestWhose:
    def test_each_line_goes_where_it_says(self, ours: Organisation, norte: Organisation, sul: Organisation) -> None:
        text = "domain;organisation;mx\na.example;Norte;mx.a.example\nb.example;Sul, Lda.\nc.example;norte\n"
        ended = given(ours, f"{text}d.example;{ours.name}\na.example;Sul, Lda.\n")
        assert ended == {
            2: ("added", "Norte"),
            3: ("added", "Sul, Lda."),
            4: ("added", "Norte"),
            5: ("added", ours.name),
            6: ("twice", "Sul, Lda."),
        }
        hosted = {each.name: each.organisation for each in HostedDomain.objects.everywhere()}
        assert hosted == {"a.example": norte, "b.example": sul, "c.example": norte, "d.example": ours}

    def test_the_log_of_the_client_names_the_provider(self, ours: Organisation, norte: Organisation) -> None:
        given(ours, f"domain,organisation,mx\na.example,Norte,mx.a.example\nb.example,{ours.name},")
        told = AuditEntry.objects.everywhere().order_by("pk")
        mail = support_web.owner_of(ours).email
        assert [(each.organisation, each.action, each.actor, each.provider) for each in told] == [
            (ours, "import.started", mail, ""),
            (ours, "domain.added", mail, ""),
            (norte, "domain.added", mail, ours.name),
            (norte, "policy.started", mail, ours.name),
        ]

    def test_what_is_not_theirs(self, ours: Organisation, norte: Organisation, theirs: Organisation) -> None:
        Organisation.objects.create(name="Alheia", parent=theirs)
        Organisation.objects.create(name="Ilhas", parent=ours)
        Organisation.objects.create(name="Ilhas", parent=ours)
        lines = ["Alheia", theirs.name, "", "Ilhas", "=cmd|' /C calc'!A0", "Norte"]
        text = "\n".join(f"d{number}.example;{name}" for number, name in enumerate(lines))
        ended = given(ours, f"domain;organisation\n{text}")
        assert [ending for ending, _whose in ended.values()] == [*["client"] * 3, "several", "client", "added"]
        assert HostedDomain.objects.everywhere().count() == 1

    def test_a_client_names_itself_alone(self, ours: Organisation, norte: Organisation, sul: Organisation) -> None:
        client = support_web.browser(support_web.person("nia@example.com", norte, Role.EDITOR))
        text = f"domain;organisation\na.example;Norte\nb.example;Sul, Lda.\nc.example;{ours.name}"
        assert given(norte, text, client) == {2: ("added", "Norte"), 3: ("client", ""), 4: ("client", "")}

    def test_a_client_that_wants_a_second_factor(self, ours: Organisation, norte: Organisation) -> None:
        Organisation.objects.filter(pk=norte.pk).update(mfa_required=True)
        assert given(ours, "domain;organisation\na.example;Norte") == {2: ("factor", "")}

    def test_a_person_without_the_right_gives_no_list(self, ours: Organisation, norte: Organisation) -> None:
        viewer = support_web.browser(support_web.person("eva@example.com", ours, Role.VIEWER))
        answer = viewer.post(f"/o/{ours.pk}{PAGE}", {"text": "domain;organisation\na.example;Norte"})
        assert (answer.status_code, DomainImport.objects.everywhere().exists()) == (403, False)

    def test_capitals_tell_two_apart(self, ours: Organisation, norte: Organisation) -> None:
        Organisation.objects.create(name="NORTE", parent=ours)
        text = "domain;organisation\na.example;Norte\nb.example;NORTE\nc.example;norte"
        assert [whose for _ending, whose in given(ours, text).values()] == ["Norte", "NORTE", ""]


class TestPages:
    def test_the_results_by_organisation(self, ours: Organisation, norte: Organisation, sul: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        given(ours, "domain;organisation\na.example;Norte\nb.example;Sul, Lda.\nc.example;Oeste\nd.example;", client)
        pk = DomainImport.objects.of(ours)[0].pk
        text = support_web.text_of(client.get(f"/o/{ours.pk}{PAGE}{pk}/"))
        assert "By organisation Organisation Added There already Waiting Norte 1 0 0 Sul, Lda. 1 0 0" in text
        assert "4 c.example You and your clients have no organisation “Oeste”." in text
        assert "5 d.example The line names no organisation." in text
        lines = client.get(f"/o/{ours.pk}{PAGE}{pk}/results.csv").content.decode().splitlines()
        assert lines[1:3] == ["2,a.example,added,,Norte", '3,b.example,added,,"Sul, Lda."']

    def test_a_column_that_is_not_known(self, ours: Organisation, norte: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        answer = client.post(f"/o/{ours.pk}{PAGE}", {"text": "domain;notes\na.example;x"})
        assert "The first line names a column “notes”." in support_web.text_of(answer)
        assert (answer.status_code, ">domain;notes" in answer.content.decode()) == (400, True)

    def test_the_form_shows_how(self, ours: Organisation, norte: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        assert "example.com;Norte;mx1.example.com" in client.get(f"/o/{ours.pk}{PAGE}").content.decode()

    def test_the_form_shows_it_before_there_is_a_client(self, ours: Organisation) -> None:
        shown = []
        for each in (support_web.owner_of(ours), support_web.person("eva@example.com", ours, Role.EDITOR)):
            text = support_web.browser(each).get(PAGE).content.decode()
            shown.append(f"example.com;{ours.name};mx1.example.com" in text)
        assert shown == [True, False]


class TestTaken:
    """Whose a domain is, is said of those whom the reader may see anyway, and of nobody else."""

    def told(self, reader: Client, organisation: Organisation) -> list[str]:
        pk = DomainImport.objects.of(organisation)[0].pk
        page = f"/o/{organisation.pk}{PAGE}{pk}/"
        told = csv.DictReader(reader.get(f"{page}results.csv").content.decode().splitlines())
        reasons = [row["reason"] for row in told]
        shown = support_web.text_of(reader.get(page))
        assert [reason for reason in reasons if reason not in shown] == []
        return [reason.partition(". ")[0] for reason in reasons]

    def test_the_provider_itself_and_its_clients(
        self, ours: Organisation, norte: Organisation, theirs: Organisation
    ) -> None:
        for whose, name in ((ours, "a.example"), (norte, "b.example"), (theirs, "c.example")):
            support_panel.live(whose, name)
        given(ours, f"domain;organisation\na.example;Norte\nb.example;{ours.name}\nc.example;Norte")
        owner, stranger = support_web.browser(support_web.owner_of(ours)), "It is served for somebody else"
        ours_said = f"It is served for “{ours.name}” already."
        assert self.told(owner, ours) == [ours_said, "It is served for “Norte” already.", stranger]
        Organisation.objects.filter(pk=norte.pk).update(mfa_required=True)
        assert self.told(owner, ours) == [ours_said, stranger, stranger]

    def test_a_client_learns_nothing_of_the_others(
        self, ours: Organisation, norte: Organisation, sul: Organisation
    ) -> None:
        support_panel.live(ours, "a.example")
        support_panel.live(sul, "b.example")
        client = support_web.browser(support_web.person("nia@example.com", norte, Role.OWNER))
        given(norte, "a.example\nb.example", client)
        assert self.told(client, norte) == ["It is served for somebody else"] * 2


class TestManyClients:
    """Queries do not grow with each line, however the clients are mixed."""

    def test_queries(self, ours: Organisation) -> None:
        names = [Organisation.objects.create(name=f"c{number}", parent=ours).name for number in range(4)]
        counted = []
        for turn, many in enumerate((20, 200)):
            lines = [f"t{turn}d{each}.example;{names[each % 4]}" for each in range(many)]
            with CaptureQueriesContext(connection) as queries:
                given(ours, "domain;organisation\n" + "\n".join(lines))
            counted.append(len(queries))
        assert HostedDomain.objects.everywhere().count() == 220
        assert counted[1] - counted[0] < 20
