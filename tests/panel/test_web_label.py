"""The page on which a provider says how the pages look, without script."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from tests import support_web
from tests.support_labels import HOST, client_of, drawn, labelled, proven

from trinco.panel.accounts import labels
from trinco.panel.accounts.models import AuditEntry, HostClaim, Label, Logo, Organisation

FORM = {"product": "Correio Seguro", "accent": "#0b6e4f", "powered": "on"}


@pytest.fixture
def owner(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def upload(data: bytes, name: str = "logo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, "image/png")


def said(answer: object) -> str:
    return support_web.text_of(answer)


class TestLook:
    def test_kept(self, ours: Organisation, owner: Client) -> None:
        owner.post(reverse("label"), {**FORM, "logo": upload(drawn())})
        label = Label.objects.get(organisation=ours)
        assert (label.product, label.accent, label.powered) == ("Correio Seguro", "#0b6e4f", True)
        assert Logo.objects.of(ours).get().digest == label.logo
        page = owner.get(reverse("label"), follow=True).content.decode()
        assert f'src="/o/{ours.pk}/logo/{label.logo}.png"' in page or f'src="/logo/{label.logo}.png"' in page

    def test_the_preview_keeps_nothing_but_the_picture_in_the_form(self, ours: Organisation, owner: Client) -> None:
        answer = owner.post(reverse("label"), {**FORM, "logo": upload(drawn()), "preview": "1"})
        assert "As it would be: nothing is saved yet." in said(answer)
        assert not Label.objects.exists()
        [(name, value)] = answer.context["preview"].kept
        owner.post(reverse("label"), {**FORM, name: value})
        assert Logo.objects.of(ours).count() == 1

    def test_a_faint_colour_says_why_and_offers_the_nearest(self, ours: Organisation, owner: Client) -> None:
        answer = owner.post(reverse("label"), {**FORM, "accent": "#ffd400"})
        assert "would have a contrast of 1.3 : 1" in said(answer)
        assert "The preview shows #826c00." in said(answer)
        owner.post(reverse("label"), {**FORM, "accent": "#ffd400", "take": "#826c00"})
        assert Label.objects.get(organisation=ours).accent == "#826c00"

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (b"<svg/>", "SVG is not taken"),
            (b"GIF89a", "no picture in PNG, JPEG or WebP"),
            (drawn()[:60], "cannot be read"),
            (b"\x89PNG" + bytes(600_000), "more than 512 KiB"),
        ],
    )
    def test_a_logo_that_is_refused(self, owner: Client, data: bytes, why: str) -> None:
        assert why in said(owner.post(reverse("label"), {**FORM, "logo": upload(data)}))
        assert not Label.objects.exists()

    @pytest.mark.parametrize(
        "changed", [{"product": ""}, {"product": "a\u202eb"}, {"accent": "red"}, {"product": "x" * 61}]
    )
    def test_what_is_no_look(self, owner: Client, changed: dict[str, str]) -> None:
        assert owner.post(reverse("label"), {**FORM, **changed}).context["form"].errors
        assert not Label.objects.exists()

    @pytest.mark.parametrize("kept", ["!", "AAAA", "ÿ", "PHN2Zy8+"])
    def test_a_kept_picture_is_believed_no_more_than_a_file(self, owner: Client, kept: str) -> None:
        owner.post(reverse("label"), {**FORM, "kept_logo": kept})
        assert not Logo.objects.everywhere().exists()

    def test_a_name_with_signs_is_text(self, owner: Client) -> None:
        owner.post(reverse("label"), {**FORM, "product": "<b>\"A\" & 'B'"})
        assert "&lt;b&gt;" in owner.get("/activity/").content.decode().partition("</title>")[0]
        assert '<b>"A' not in owner.get("/activity/").content.decode()

    def test_removed(self, ours: Organisation, owner: Client) -> None:
        proven(labelled(ours))
        owner.post(reverse("label_remove"))
        assert not Label.objects.exists()
        assert "· Trinco</title>" in owner.get("/activity/").content.decode()

    def test_a_client_finds_no_such_page(self, ours: Organisation) -> None:
        labelled(ours)
        _client, eva = client_of(ours)
        there = support_web.browser(eva)
        assert there.get(reverse("label")).status_code == 404
        assert reverse("label") not in there.get("/activity/").content.decode()


class TestHost:
    def test_wanted_and_proven(self, ours: Organisation, owner: Client) -> None:
        label = labelled(ours)
        owner.post(reverse("label_host"), {"host": "TLS.Provedor.example."})
        claim = labels.claim_of(ours)
        assert claim is not None
        assert f"_trinco.{HOST} trinco-host={claim.token}" in said(owner.get(reverse("label")))
        proven(label)
        assert "Proven: the pages answer there under your label." in said(owner.get(reverse("label")))
        owner.post(reverse("label_host_remove"))
        assert not HostClaim.objects.of(ours).exists()

    @pytest.mark.parametrize("name", ["", "x", "192.0.2.1", "a b.example", "https://x.example", "localhost", "co.uk"])
    def test_what_is_no_host(self, ours: Organisation, owner: Client, name: str) -> None:
        labelled(ours)
        assert owner.post(reverse("label_host"), {"host": name}).context["host_form"].errors
        assert not HostClaim.objects.of(ours).exists()

    def test_one_of_ours(self, ours: Organisation, owner: Client) -> None:
        labelled(ours)
        assert "belongs to Trinco itself" in said(owner.post(reverse("label_host"), {"host": "trinco.example"}))

    def test_looked_at_at_once(self, ours: Organisation, owner: Client) -> None:
        proven(labelled(ours))
        before = HostClaim.objects.of(ours).get().due_at
        owner.post(reverse("label_host_check"))
        assert HostClaim.objects.of(ours).get().due_at > before

    def test_the_log_in_words(self, ours: Organisation, owner: Client) -> None:
        proven(labelled(ours, powered=False))
        text = said(owner.get("/activity/"))
        assert "Host of the label proven" in text
        assert "product name: – → Correio Seguro" in text
        assert AuditEntry.objects.of(ours).count() == 3
