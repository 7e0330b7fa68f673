"""The pages of an import: a list is given, each bad line is named with its reason, and the results are a file."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web

from trinco.panel.accounts.models import Organisation, Role
from trinco.panel.policies import imports
from trinco.panel.policies.import_models import DomainImport

PAGE = "/domains/import/"
LIST = "a.example\n=1+1\nco.uk\na.example\nb.example,*.com\nc.example,10.0.0.1\nmail.sts.example\n"


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def given(person: Client, text: str = LIST) -> str:
    """The address of the page of an import that was just given."""
    return str(person.post(PAGE, {"text": text})["Location"])


class TestGiving:
    def test_pasted(self, person: Client) -> None:
        text = support_web.text_of(person.get(given(person)))
        assert "Running 5 of 6 lines" in text or "lines" in text
        assert "4 a.example Stands in line 1 already." in text
        assert "2 =1+1 contains a character that no domain name has" in text

    def test_a_file_of_a_spreadsheet(self, ours: Organisation, person: Client) -> None:
        file = SimpleUploadedFile("d.csv", "\ufeffDomain;MX\r\nbücher.example;mx1.example.com\r\n".encode())
        person.post(PAGE, {"file": file})
        (line,) = DomainImport.objects.of(ours).get().lines.all()
        assert (line.number, line.name, line.mx) == (2, "xn--bcher-kva.example", ["mx1.example.com"])

    @pytest.mark.parametrize(
        ("octets", "status", "words"),
        [
            (b"", 400, "Paste a list, or choose a file"),
            (b"\xff\xfea\0", 400, "This is no text in UTF-8."),
            (b"a\n" * 10_001, 400, "A list has 10,000 lines at most."),
            (b"a" * (1024 * 1024 + 1), 413, "more than is read here: 1 MiB"),
            (b"a" * (11 * 1024 * 1024), 413, "more than is read here: 1 MiB"),
        ],
    )
    def test_what_is_not_taken(
        self, ours: Organisation, person: Client, octets: bytes, status: int, words: str
    ) -> None:
        answer = person.post(PAGE, {"file": SimpleUploadedFile("d.csv", octets)})
        assert (answer.status_code, words in support_web.text_of(answer)) == (status, True)
        assert not DomainImport.objects.of(ours).exists()

    def test_while_another_one_runs_what_was_pasted_is_kept(self, person: Client) -> None:
        given(person)
        answer = person.post(PAGE, {"text": "d.example"})
        assert (answer.status_code, "Another import is running." in support_web.text_of(answer)) == (400, True)
        assert ">d.example</textarea>" in answer.content.decode()

    def test_a_form_from_elsewhere_is_refused(self, ours: Organisation) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(support_web.owner_of(ours), backend=support_web.BACKEND)
        assert client.post(PAGE, {"text": "a.example"}).status_code == 403
        assert not DomainImport.objects.of(ours).exists()


class TestProgress:
    def test_it_polls_until_it_is_done(self, person: Client) -> None:
        page = given(person)
        assert f'hx-get="{page}live/?page=1"' in person.get(page).content.decode()
        assert person.get(f"{page}live/").status_code == 200
        imports.imports_due(timezone.now())
        answer = person.get(f"{page}live/")
        assert (answer.status_code, "hx-get" in answer.content.decode()) == (286, False)

    @pytest.mark.parametrize(("minutes", "told"), [(1, False), (3, True)])
    def test_that_no_worker_runs_is_told_until_one_does(
        self, ours: Organisation, person: Client, minutes: int, told: bool
    ) -> None:
        page = given(person)
        DomainImport.objects.of(ours).update(turn_at=timezone.now() - timedelta(minutes=minutes))
        said = "The worker seems not to run"
        answer = person.get(f"{page}live/")
        assert (answer.status_code, said in support_web.text_of(answer)) == (200, told)
        imports.imports_due(timezone.now())
        assert said not in support_web.text_of(person.get(f"{page}live/"))

    def test_one_that_goes_on_has_waited_for_nobody_while_it_stood(self, ours: Organisation, person: Client) -> None:
        page = given(person)
        person.post(f"{page}run/", {"do": "stop"})
        DomainImport.objects.of(ours).update(turn_at=timezone.now() - timedelta(hours=1))
        assert "worker" not in support_web.text_of(person.get(page))
        person.post(f"{page}run/", {"do": "go-on"})
        assert "worker" not in support_web.text_of(person.get(page))

    def test_stop_and_go_on(self, ours: Organisation, person: Client) -> None:
        page = given(person)
        for do, state in (("stop", "stopped"), ("go-on", "running")):
            assert person.post(f"{page}run/", {"do": do})["Location"] == page
            assert DomainImport.objects.of(ours).get().state == state
        assert person.post(f"{page}run/", {"do": "x"}).status_code == 400

    def test_a_name_that_somebody_else_has_is_not_said_to_be_theirs(self, person: Client, theirs: Organisation) -> None:
        support_panel.live(theirs, "a.example")
        page = given(person)
        imports.imports_due(timezone.now())
        text = support_web.text_of(person.get(page))
        assert "1 a.example It is served for somebody else." in text
        assert theirs.name not in text

    def test_a_viewer_sees_it_and_turns_nothing(self, ours: Organisation, person: Client) -> None:
        page = given(person)
        viewer = support_web.browser(support_web.person("eva@example.com", ours, Role.VIEWER))
        assert "import-turn" not in viewer.get(page).content.decode()
        assert viewer.post(f"{page}run/", {"do": "stop"}).status_code == 403


class TestResults:
    """A cell is never a formula (ASVS 1.2.10)."""

    def test_each_line(self, person: Client) -> None:
        page = given(person)
        imports.imports_due(timezone.now())
        answer = person.get(f"{page}results.csv")
        assert answer["Content-Disposition"].startswith("attachment; ")
        lines = answer.content.decode().splitlines()
        assert lines[:2] == ["line,domain,result,reason,organisation", "1,a.example,added,,"]
        assert lines[2].startswith("2,'=1+1,refused,")
        assert [line.split(",")[2] for line in lines[3:6]] == ["refused"] * 3
