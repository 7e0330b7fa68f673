"""The label of a provider: its look, its host, and that each organisation's people see theirs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_checks import customers
from tests.support_labels import HOST, at, client_of, labelled, proven
from tests.support_panel import ANA

from trinco.core.names import Domain
from trinco.panel.accounts import labels
from trinco.panel.accounts.errors import AccentTooFaint, HostRefused, OnlyProviders
from trinco.panel.accounts.labels import Wanted
from trinco.panel.accounts.models import AuditEntry, HostClaim, Label, Logo, Membership, Organisation, Role
from trinco.panel.checks import label_hosts

OTHER = "tls.outro.example"


def lines(ours: Organisation) -> list[str]:
    return list(AuditEntry.objects.of(ours).order_by("number").values_list("action", flat=True))


def titled(answer: object) -> str:
    return answer.content.decode().partition("<title>")[2].partition("</title>")[0]  # type: ignore[attr-defined]


class TestLook:
    def test_kept_and_told(self, ours: Organisation) -> None:
        label = labelled(ours, logo=True)
        line = AuditEntry.objects.of(ours).get()
        assert (line.action, line.after) == (
            "label.changed",
            {
                "product": "Correio Seguro",
                "accent": "#0b6e4f",
                "powered": True,
                "logo": label.logo[:12],
                "logo_dark": "",
            },
        )

    def test_the_same_again_is_no_change(self, ours: Organisation) -> None:
        labelled(ours)
        labelled(ours)
        assert lines(ours) == ["label.changed"]

    def test_a_logo_that_goes_is_forgotten(self, ours: Organisation) -> None:
        labelled(ours, logo=True)
        labels.change(organisation=ours, wanted=Wanted("x", pictures={"logo": None}), actor=ANA)
        assert not Logo.objects.of(ours).exists()

    def test_a_colour_that_cannot_be_read_changes_nothing(self, ours: Organisation) -> None:
        with pytest.raises(AccentTooFaint):
            labelled(ours, accent="#ffd400")
        assert not Label.objects.exists()

    def test_a_client_has_none_of_its_own(self, ours: Organisation) -> None:
        theirs, _eva = client_of(ours)
        with pytest.raises(OnlyProviders):
            labelled(theirs)

    def test_its_client_inherits_it_and_a_stranger_does_not(self, ours: Organisation, theirs: Organisation) -> None:
        label = labelled(ours)
        client, _eva = client_of(ours)
        assert [labels.of(each) for each in (ours, client, theirs)] == [label, label, None]

    def test_removed_whole(self, ours: Organisation) -> None:
        proven(labelled(ours, logo=True))
        labels.remove(organisation=ours, actor=ANA)
        assert not Label.objects.exists()
        assert not HostClaim.objects.of(ours).exists()
        assert not Logo.objects.of(ours).exists()


class TestHost:
    """A host is a provider's once DNS says so, and a claim shuts nobody out."""

    @pytest.mark.parametrize("name", ["trinco.example", "x.trinco.example", "reports.trinco.example"])
    def test_not_one_of_ours(self, ours: Organisation, name: str) -> None:
        labelled(ours)
        with pytest.raises(HostRefused):
            labels.claim(organisation=ours, name=Domain.parse(name), actor=ANA)

    def test_proven_by_the_record_alone(self, ours: Organisation, settings: object) -> None:
        label = labelled(ours)
        claim = labels.claim(organisation=ours, name=Domain.parse(HOST), actor=ANA)
        for text, host in (("", None), ('_trinco.tls TXT "trinco-host=x"\n', None)):
            with customers(settings, {"provedor.example": text}):
                assert self.looked(label) == host
        name, text = labels.proof(claim)
        with customers(settings, {"provedor.example": f'{name}. TXT "{text}"\n'}):
            assert self.looked(label) == HOST
        assert lines(ours) == ["label.changed", "label.host-claimed", "label.host-proven"]

    def test_no_alias_is_followed(self, ours: Organisation, settings: object) -> None:
        """Else whoever has one name that others' records lead to would have theirs."""
        label = labelled(ours)
        claim = labels.claim(organisation=ours, name=Domain.parse(HOST), actor=ANA)
        zones = {
            "provedor.example": "*.tls CNAME x.mal.example.\n",
            "mal.example": f'x TXT "{labels.proof(claim)[1]}"\n',
        }
        with customers(settings, zones):
            assert self.looked(label) is None

    def test_silence_takes_nothing_and_a_missing_record_does_after_three_days(
        self, ours: Organisation, settings: object
    ) -> None:
        label = proven(labelled(ours))
        later = timezone.now() + timedelta(days=2)
        with customers(settings, {"outro.example": ""}):
            assert self.looked(label, later + timedelta(days=9)) == HOST
        with customers(settings, {"provedor.example": ""}):
            assert self.looked(label, later) == HOST
            assert self.looked(label, later + timedelta(days=2)) is None
        assert lines(ours)[-1] == "label.host-lost"

    def test_who_shows_it_keeps_it_from_another(self, ours: Organisation, theirs: Organisation) -> None:
        label, other = proven(labelled(ours)), labelled(theirs, "Outro")
        mine = labels.claim_of(ours)
        claim = labels.claim(organisation=theirs, name=Domain.parse(HOST), actor=ANA)
        assert mine is not None
        labels.note(claim, [labels.proof(claim)[1], labels.proof(mine)[1]], timezone.now())
        claim.refresh_from_db()
        other.refresh_from_db()
        assert (claim.taken, other.host, labels.at(HOST)) == (True, None, label)

    def test_who_shows_it_no_more_loses_it_to_who_does(self, ours: Organisation, theirs: Organisation) -> None:
        proven(labelled(ours))
        other = proven(labelled(theirs, "Outro"))
        assert labels.at(HOST) == other
        assert lines(ours)[-1] == "label.host-lost"

    def test_given_up_at_once(self, ours: Organisation) -> None:
        proven(labelled(ours))
        labels.release(organisation=ours, actor=ANA)
        assert (labels.at(HOST), labels.claim_of(ours)) == (None, None)

    @staticmethod
    def looked(label: Label, now: object = None) -> str | None:
        HostClaim.objects.everywhere().update(due_at=timezone.now() - timedelta(days=1))
        label_hosts.look_due(now or timezone.now())  # type: ignore[arg-type]
        label.refresh_from_db()
        return label.host


class TestDoor:
    """Under a label's host there is its provider with its clients, and nobody else."""

    @pytest.mark.parametrize(
        "written", [HOST, HOST.upper(), f"{HOST}.", f"{HOST}:8080", f"{HOST.title()}.:8080"], ids=lambda each: each
    )
    def test_the_label_before_anybody_signs_in(self, ours: Organisation, written: str) -> None:
        proven(labelled(ours, logo=True))
        answer = at(written).get("/account/login/")
        assert (answer.status_code, titled(answer)) == (200, "Sign in · Correio Seguro")
        assert support_web.text_of(answer).replace("Powered by Trinco", "").count("Trinco") == 0

    @pytest.mark.parametrize(
        "written",
        [
            f"{HOST}:1234",
            f"{HOST}:",
            f"{HOST}:8080:8080",
            f"{HOST}..",
            f"x.{HOST}",
            f"{HOST}@x.example",
            f"{HOST}/",
            "tls.provédor.example",
            "192.0.2.1",
            "[::1]",
            OTHER,
            "",
        ],
    )
    def test_any_other_name_is_refused(self, ours: Organisation, written: str) -> None:
        proven(labelled(ours))
        labels.claim(
            organisation=labelled(support_panel.organisation("x@example.org")).organisation,
            name=Domain.parse(OTHER),
            actor=ANA,
        )
        answer = at(written.encode().decode("latin-1")).get("/account/login/")
        assert answer.status_code == 400
        assert "Correio Seguro" not in answer.content.decode()

    def test_what_a_forwarding_header_says_counts_for_nothing(self, ours: Organisation) -> None:
        proven(labelled(ours))
        said = {"x-forwarded-host": HOST, "forwarded": f"host={HOST}", "x-host": HOST}
        assert "Correio Seguro" not in support_web.browser().get("/account/login/", headers=said).content.decode()
        there = at(HOST).get("/account/login/", headers={"x-forwarded-host": OTHER})
        assert titled(there) == "Sign in · Correio Seguro"

    def test_a_name_in_other_letters(self, ours: Organisation) -> None:
        proven(labelled(ours), "tls.provédor.example")
        assert (
            titled(at(str(Domain.parse("tls.provédor.example"))).get("/account/login/")) == "Sign in · Correio Seguro"
        )

    def test_who_belongs_there_and_who_does_not(self, ours: Organisation, theirs: Organisation) -> None:
        proven(labelled(ours))
        client, eva = client_of(ours)
        owner, stranger = support_web.owner_of(ours), support_web.owner_of(theirs)
        assert [at(HOST, each).get("/activity/", follow=False).status_code for each in (eva, owner, stranger)] == [
            200,
            302,
            403,
        ]
        assert at(HOST, stranger).get(f"/o/{theirs.pk}/activity/").status_code == 404
        assert at(HOST, owner).get(f"/o/{client.pk}/activity/").status_code == 200

    def test_forms_work_there(self, ours: Organisation, settings: object) -> None:
        """The origin that a browser names is the host's own, in the scheme of the panel."""
        proven(labelled(ours))
        client = at(HOST)
        client.handler.enforce_csrf_checks = True
        client.get("/account/login/")
        token = client.cookies[settings.CSRF_COOKIE_NAME].value  # type: ignore[attr-defined]
        root = labels.root(labels.at(HOST))
        for origin, status in ((root, 302), (f"https://{OTHER}", 403)):
            form = {"theme": "dark", "csrfmiddlewaretoken": token}
            assert client.post("/theme/", form, headers={"origin": origin}).status_code == status

    def test_nobody_signs_up_there(self, ours: Organisation) -> None:
        proven(labelled(ours))
        assert "Make one" not in support_web.text_of(at(HOST).get("/account/login/"))

    def test_a_front_may_ask(self, ours: Organisation) -> None:
        proven(labelled(ours))
        asked = [HOST, HOST.upper(), OTHER, "", f"{HOST}:443", "x\0.example", "trinco.example"]
        answers = [at("192.0.2.1").get("/ask", {"domain": each}).status_code for each in asked]
        assert answers == [200, 200, 404, 404, 404, 404, 404]


class TestWhoSeesIt:
    """The label never leaks between tenants."""

    def test_on_the_panel_s_own_host_each_sees_theirs(self, ours: Organisation, theirs: Organisation) -> None:
        labelled(ours)
        _client, eva = client_of(ours)
        pages = [support_web.browser(each).get("/activity/") for each in (eva, support_web.owner_of(theirs))]
        assert [titled(page).partition(" · ")[2] for page in pages] == ["Correio Seguro", "Trinco"]
        assert "Correio Seguro" not in support_web.browser().get("/account/login/").content.decode()

    def test_at_another_label_s_host_its_logo_is_no_page(self, ours: Organisation, theirs: Organisation) -> None:
        mine = proven(labelled(ours, logo=True))
        proven(labelled(theirs, "Outro", "#7a1f5c", logo=True), OTHER)
        path = f"/logo/{mine.logo}.png"
        assert [at(each).get(path).status_code for each in (HOST, OTHER)] == [200, 404]

    def test_the_logo_s_headers(self, ours: Organisation) -> None:
        mine = proven(labelled(ours, logo=True))
        answer = at(HOST).get(f"/logo/{mine.logo}.png")
        names = ("Content-Type", "Content-Security-Policy", "X-Content-Type-Options", "Cache-Control")
        assert [answer[name] for name in names] == [
            "image/png",
            "default-src 'none'; sandbox",
            "nosniff",
            "public, max-age=31536000, immutable",
        ]

    def test_the_style_sheet_is_at_an_address_that_says_what_it_is(self, ours: Organisation) -> None:
        proven(labelled(ours))
        page = at(HOST).get("/account/login/")
        path = page.context["brand"].accent
        assert at(HOST).get(path).content.decode().startswith(":root { --brand: light-dark(#0b6e4f, ")
        wrong = (
            path[:-6] + "zz.css",
            "/accent/page/ffd400/x.css",
            "/accent/evil/0b6e4f/x.css",
            "/accent/page/xx/x.css",
        )
        assert [at(HOST).get(each).status_code for each in wrong] == [404] * 4


class TestMails:
    """Each mail bears the label of whom it goes to, and leads to the host of that label once it is proven."""

    def reset(self, host: str, email: str) -> tuple[str, str, str]:
        at(host).post("/account/password/reset/", {"email": email})
        sent = mail.outbox[-1]
        link = next(word for word in str(sent.body).split() if "/reset/key/" in word)
        return sent.subject, sent.from_email, link.partition("/account")[0]

    def test_a_client_s_person(self, ours: Organisation, settings: object) -> None:
        panel = settings.CONFIG.panel_url  # type: ignore[attr-defined]
        label = labelled(ours)
        client_of(ours)
        address = settings.DEFAULT_FROM_EMAIL  # type: ignore[attr-defined]
        subject, sender, link = self.reset("testserver", "eva@cliente.example")
        assert (subject, sender) == ("[Correio Seguro] Password Reset Email", f"Correio Seguro <{address}>")
        assert link == panel
        proven(label)
        assert self.reset("testserver", "eva@cliente.example")[2] == labels.root(label)
        assert HOST in labels.root(label)

    def test_a_stranger_who_asks_at_that_host(self, ours: Organisation, theirs: Organisation, settings: object) -> None:
        proven(labelled(ours))
        subject, _sender, link = self.reset(HOST, "rui@example.net")
        assert (subject, link) == ("[Trinco] Password Reset Email", settings.CONFIG.panel_url)  # type: ignore[attr-defined]

    def test_who_belongs_to_others_too_gets_no_key_at_that_host(
        self, ours: Organisation, theirs: Organisation, settings: Any
    ) -> None:
        proven(labelled(ours))
        _made, eva = client_of(ours)
        Membership.objects.create(organisation=theirs, user=eva, role=Role.OWNER)
        for host in ("testserver", HOST):
            subject, _sender, link = self.reset(host, eva.email)
            assert (subject, link) == ("[Correio Seguro] Password Reset Email", settings.CONFIG.panel_url)
            assert HOST not in str(mail.outbox[-1].body)

    def test_an_invitation(self, ours: Organisation) -> None:
        label = proven(labelled(ours))
        owner = support_web.browser(support_web.owner_of(ours))
        owner.post("/people/", {"email": "nova@example.com", "role": "viewer"})
        body = str(mail.outbox[-1].body)
        assert f"on Correio Seguro ({labels.root(label)})" in body
        assert f"\n\n{labels.root(None)}/invitations/" in body
        assert "The link leads to 127.0.0.1, where Correio Seguro is run." in body
        token = body.partition("/invitations/")[2].partition("/")[0]
        assert titled(support_web.browser().get(f"/invitations/{token}/")).endswith("· Correio Seguro")

    def test_its_link_opens_nothing_at_another_host(self, ours: Organisation, theirs: Organisation) -> None:
        proven(labelled(ours))
        proven(labelled(theirs, "Outro"), OTHER)
        owner = support_web.browser(support_web.owner_of(ours))
        owner.post("/people/", {"email": "nova@example.com", "role": "viewer"})
        token = str(mail.outbox[-1].body).partition("/invitations/")[2].partition("/")[0]
        answer = at(OTHER).get(f"/invitations/{token}/")
        assert (answer.status_code, titled(answer).partition(" · ")[2]) == (404, "Outro")
        own = at(HOST).get(f"/invitations/{token}/")
        assert (own.status_code, own["Location"]) == (302, f"{labels.root(None)}/invitations/{token}/")
