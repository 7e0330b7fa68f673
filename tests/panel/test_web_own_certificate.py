"""The page on which an owner brings a certificate. It works without JavaScript, and gives no key back."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from tests import support_panel, support_web
from tests.panel.test_certificates_own import GOOD, HOST, KEY, MIDDLE_PEM, ROOT_PEM, leaf, pem
from tests.support_acme import configured

from trinco.panel.certificates import own
from trinco.panel.certificates.models import Certificate

CHAIN = leaf() + MIDDLE_PEM
PRIVATE = pem(KEY)


@pytest.fixture
def domain(ours, tmp_path, monkeypatch):
    (tmp_path / "root.pem").write_text(ROOT_PEM)
    configured(monkeypatch, acme_ca_file=tmp_path / "root.pem")
    return support_web.ready(ours)


@pytest.fixture
def owner(domain):
    return support_web.browser(support_web.owner_of(domain.organisation))


@pytest.fixture
def page(domain):
    return reverse("own_certificate", args=[domain.name])


def secret(answer) -> bool:
    """Whether anything of the key is in the answer."""
    return any(line.encode() in answer.content for line in PRIVATE.splitlines()[1:-1])


class TestBringing:
    def test_pasted(self, domain, owner, page):
        answer = owner.post(page, {"certificate": CHAIN, "key": PRIVATE}, follow=True)
        text = support_web.text_of(answer)
        assert answer.redirect_chain == [(f"/domains/{domain.name}/", 302)]
        assert "Your certificate is served within seconds." in text
        assert "by you, who brought it" in text
        assert own.brought(domain) is not None
        assert not secret(answer)
        assert not secret(owner.get(page))

    def test_uploaded_all_in_one_file(self, domain, owner, page):
        owner.post(page, {"certificate_file": SimpleUploadedFile("all.pem", GOOD)})
        assert own.brought(domain) is not None

    def test_what_is_refused_is_said_and_not_shown_again(self, domain, owner, page):
        answer = owner.post(page, {"certificate": leaf("x.example") + MIDDLE_PEM, "key": PRIVATE})
        assert (answer.status_code, "It is not for this host." in support_web.text_of(answer)) == (200, True)
        assert not secret(answer)
        assert own.brought(domain) is None

    def test_nothing_and_too_much(self, domain, owner, page):
        empty = owner.post(page, {})
        large = owner.post(page, {"certificate_file": SimpleUploadedFile("large.pem", GOOD + b" " * 3_000_000)})
        assert "There is no certificate in PEM" in support_web.text_of(empty)
        assert "This is more than a certificate" in support_web.text_of(large)

    def test_another_site_cannot_post_it(self, domain, page):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(support_web.owner_of(domain.organisation), backend=support_web.BACKEND)
        assert strict.post(page, {"certificate": CHAIN, "key": PRIVATE}).status_code == 403
        assert own.brought(domain) is None


class TestRemoving:
    def test_it_goes_back(self, domain, owner, page):
        owner.post(page, {"certificate": CHAIN, "key": PRIVATE})
        assert "Remove it" in support_web.text_of(owner.get(page))
        answer = owner.post(reverse("own_certificate_remove", args=[domain.name]), follow=True)
        assert "Removed. It is served until the next one is there." in support_web.text_of(answer)
        assert "Remove it" not in support_web.text_of(owner.get(page))
        assert own.brought(domain) is None


class TestPages:
    """What others pages say of it."""

    def test_the_certificates_page_and_the_log(self, owner, page):
        owner.post(page, {"certificate": CHAIN, "key": PRIVATE})
        assert "yours to bring" in support_web.text_of(owner.get(reverse("certificates")))
        log = support_web.text_of(owner.get(reverse("activity")))
        assert "Certificate of one’s own brought" in log
        assert "Intermediate, SHA-256" in log

    def test_a_domain_in_setup_is_told_to_wait(self, ours, owner):
        waiting = support_panel.hosted(ours, "espera.example")
        answer = owner.post(reverse("own_certificate", args=[waiting.name]), {"certificate": CHAIN, "key": PRIVATE})
        assert support_web.text_of(answer).count("It is not for this host.") == 1
        assert not Certificate.objects.everywhere().filter(domain=waiting).exists()
        assert waiting.policy_host != HOST
