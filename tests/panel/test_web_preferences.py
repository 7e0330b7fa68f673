"""Theme, language, and the pages for what went wrong."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import path
from tests import support_web

from trinco.panel.accounts.models import Organisation
from trinco.panel.urls import urlpatterns as panel_urls


class TestTheme:
    """UX: light, dark or as the system, kept, signed in or not."""

    def test_it_is_kept_and_sent_with_the_first_byte(self, db: None) -> None:
        client = Client()
        answer = client.post("/theme/", {"theme": "dark", "next": "/account/login/"})
        assert answer["Location"] == "/account/login/"
        assert 'data-theme="dark"' in client.get("/account/login/").content.decode()

    def test_without_a_choice_the_system_decides(self, db: None) -> None:
        assert 'data-theme="auto"' in Client().get("/account/login/").content.decode()

    @pytest.mark.parametrize("cookie", ["", "blue", '"><script>'])
    def test_a_cookie_of_somebody_else_is_not_believed(self, db: None, cookie: str) -> None:
        client = Client()
        client.cookies["theme"] = cookie
        assert 'data-theme="auto"' in client.get("/account/login/").content.decode()

    def test_another_theme_does_not_exist(self, db: None) -> None:
        assert Client().post("/theme/", {"theme": "blue"}).status_code == 400

    @pytest.mark.parametrize("elsewhere", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", ""])
    def test_it_leads_nowhere_else(self, db: None, elsewhere: str) -> None:
        assert Client().post("/theme/", {"theme": "dark", "next": elsewhere})["Location"] == "/"

    def test_it_is_not_changed_by_a_link(self, db: None) -> None:
        assert Client().get("/theme/?theme=dark").status_code == 405


class TestLanguage:
    def test_it_is_kept(self, db: None) -> None:
        client = Client()
        client.post("/language/setlang/", {"language": "pt-pt", "next": "/account/login/"})
        page = client.get("/account/login/").content.decode()
        assert '<html lang="pt-pt"' in page
        assert "<h1>Iniciar sessão</h1>" in page

    @pytest.mark.parametrize("wanted", ["pt", "pt-PT", "pt-BR;q=0.9"])
    def test_the_browser_is_asked_first(self, db: None, wanted: str) -> None:
        page = Client().get("/account/login/", headers={"Accept-Language": wanted}).content.decode()
        assert "<h1>Iniciar sessão</h1>" in page

    def test_another_language_gets_english(self, db: None) -> None:
        page = Client().get("/account/login/", headers={"Accept-Language": "fr"}).content.decode()
        assert "<h1>Sign in</h1>" in page


def broken(_request: Any) -> Any:
    raise RuntimeError("on purpose")


urlpatterns = [*panel_urls, path("broken/", broken)]


class TestWhatWentWrong:
    def test_404(self, ours: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        answer = client.get("/no/such/page/")
        assert (answer.status_code, "404 There is nothing here" in support_web.text_of(answer)) == (404, True)

    def test_403_of_a_form_without_its_token(self, ours: Organisation) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(support_web.owner_of(ours), backend=support_web.BACKEND)
        answer = client.post("/domains/add/", {"name": "novo.example"})
        assert (answer.status_code, "403 This form is too old" in support_web.text_of(answer)) == (403, True)

    def test_429(self, db: None) -> None:
        answers = [Client().post("/account/password/reset/", {"email": f"a{n}@example.com"}) for n in range(21)]
        assert (answers[-1].status_code, "429 Too many tries" in support_web.text_of(answers[-1])) == (429, True)

    def test_500(self, ours: Organisation, settings: Any) -> None:
        settings.ROOT_URLCONF = __name__
        client = Client(raise_request_exception=False)
        answer = client.get("/broken/")
        assert (answer.status_code, "Something broke here" in support_web.text_of(answer)) == (500, True)
        assert "on purpose" not in answer.content.decode()

    def test_they_speak_portuguese_too(self, ours: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        answer = client.get("/no/such/page/", headers={"Accept-Language": "pt"})
        assert "404 Aqui não há nada" in support_web.text_of(answer)
