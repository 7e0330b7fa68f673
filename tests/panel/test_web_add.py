"""Adding a domain: one name, and a clear word when it is none."""

from __future__ import annotations

import pytest
from django.test import Client
from tests import support_panel, support_web

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def add(client: Client, name: str) -> str:
    """Where adding leads, or what the page says."""
    answer = client.post("/domains/add/", {"name": name})
    return answer["Location"] if answer.status_code == 302 else support_web.text_of(answer)


class TestAdding:
    def test_it_leads_to_the_set_up(self, ours: Organisation, person: Client) -> None:
        assert add(person, "  Novo.EXAMPLE. ") == "/domains/novo.example/setup/"
        assert [domain.name for domain in HostedDomain.objects.of(ours)] == ["novo.example"]

    def test_a_name_as_people_write_it_is_kept_in_a_labels(self, ours: Organisation, person: Client) -> None:
        assert add(person, "câmara.example") == "/domains/xn--cmara-3qa.example/setup/"

    def test_one_that_is_there_already_is_shown(self, ours: Organisation, person: Client) -> None:
        support_panel.hosted(ours, "novo.example")
        assert add(person, "novo.example") == "/domains/novo.example/"

    def test_a_name_of_our_own_zone_is_refused(self, person: Client) -> None:
        assert "lies in the zone of this installation itself" in add(person, "mail.trinco.example")

    def test_a_link_may_fill_the_name_in(self, person: Client) -> None:
        assert 'value="novo.example"' in person.get("/domains/add/?name=novo.example").content.decode()


class TestRefusals:
    """DESIGN 5: errors keep source and span, so that a page can underline the fault."""

    @pytest.mark.parametrize(
        ("typed", "said"),
        [
            ("", "This field is required."),
            (
                "ana@example.com",
                "ana @ example.com: contains an @: write the part after it alone, without the mailbox",
            ),
            ("exa mple.com", "exa mple.com: contains a space (U+0020)"),
            ("com", "com : has one label only; a mail domain has at least two, as in example.com"),
            ("co.uk", "co.uk : is a public suffix, under which others register their domains; add a domain below it"),
            ("host.local", "host.local : ends in .local, which is reserved and never reached by mail from outside"),
            ("<b>.example", "contains a character that no domain name has"),
        ],
    )
    def test_the_reason_is_said_and_the_fault_marked(self, person: Client, typed: str, said: str) -> None:
        assert said in add(person, typed)

    def test_nothing_is_added(self, ours: Organisation, person: Client) -> None:
        add(person, "exa mple.com")
        assert HostedDomain.objects.of(ours).count() == 0

    def test_what_was_typed_is_shown_and_not_obeyed(self, person: Client) -> None:
        page = person.post("/domains/add/", {"name": "<img src=x>.example"}).content.decode()
        assert "<img" not in page

    def test_the_reason_is_portuguese_for_who_reads_that(self, person: Client) -> None:
        answer = person.post("/domains/add/", {"name": "co.uk"}, headers={"Accept-Language": "pt"})
        assert "é um sufixo público, sob o qual outros registam os seus domínios" in support_web.text_of(answer)
