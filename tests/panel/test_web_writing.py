"""Writing the records for the owner: once, at three names, with credentials that are found nowhere afterwards."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.test import Client
from structlog.testing import capture_logs
from tests import support_checks, support_dnsapi, support_panel, support_web
from tests.support_dnsapi import TOKEN, Cloudflare
from typer.testing import CliRunner

from trinco.cli.main import app
from trinco.net.dnswriting import Wanted, WritingFailed
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.web import writing
from trinco.panel.web.views import writing as views

WRITE = "/domains/correio.example/setup/write/"
ACCESS = writing.Access("cloudflare", {"auth_token": TOKEN})
PARTS = {"mta-sts": "policy", "_mta-sts": "mta-sts", "_smtp._tls": "tlsrpt"}


@pytest.fixture
def domain(ours: Organisation, settings: Any) -> HostedDomain:
    support_checks.configure(settings, allow_networks=(ip_network("127.0.0.0/8"),))
    return support_panel.hosted(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


@pytest.fixture
def fake(domain: HostedDomain, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloudflare]:
    with support_dnsapi.cloudflare_at(domain.name, monkeypatch) as server:
        yield server


def ours_at(domain: HostedDomain) -> set[tuple[str, str, str]]:
    return {("CNAME", f"{name}.{domain.name}", f"{domain.label}.{part}.trinco.example") for name, part in PARTS.items()}


def post(person: Client, token: str = TOKEN, **more: str) -> Any:
    return person.post(f"{WRITE}?provider=cloudflare", {"key-auth_token": token, **more})


def everything() -> str:
    """Every row of every table, and the cache, as text."""
    rows = [repr(list(model._base_manager.values())) for model in apps.get_models()]
    return " ".join(rows) + repr(getattr(cache, "_cache", ""))


class TestPage:
    def test_the_provider_of_the_name_servers_is_chosen_already(self, domain: HostedDomain, person: Client) -> None:
        HostedDomain.objects.of(domain.organisation).update(nameservers=["ns1.desec.io"])
        page = person.get(WRITE)
        assert page.context["provider"] == "desec"
        assert [field.label for field in page.context["form"].keys] == ["auth_token", "auth_username", "auth_password"]
        assert page["Cache-Control"].startswith("max-age=0")

    def test_another_provider_and_none_that_there_is_not(self, person: Client) -> None:
        assert person.get(f"{WRITE}?provider=gandi").context["provider"] == "gandi"
        assert person.get(f"{WRITE}?provider=localzone").context["provider"] == ""

    @pytest.mark.parametrize("address", [WRITE, "/domains/correio.example/setup/access/"])
    def test_none_is_chosen_while_nothing_is_known(self, person: Client, address: str) -> None:
        """No credentials are asked for before it is said whose."""
        page = person.get(address)
        assert (page.context["provider"], list(page.context["form"].keys)) == ("", [])
        text = page.content.decode()
        assert '<option value="" selected>Choose your DNS provider</option>' in text
        assert ('type="password"' in text, '<form method="post" action="?provider' in text) == (False, False)
        assert person.post(address, {"key-auth_token": TOKEN}).context["provider"] == ""
        assert 'type="password"' in person.get(f"{address}?provider=gandi").content.decode()

    def test_the_set_up_page_leads_here(self, person: Client) -> None:
        assert WRITE in person.get("/domains/correio.example/setup/").content.decode()


class TestWriting:
    def test_all_three(self, domain: HostedDomain, person: Client, fake: Cloudflare) -> None:
        text = support_web.text_of(post(person))
        assert text.count("In place") == 3
        assert fake.held() == ours_at(domain)
        line = AuditEntry.objects.of(domain.organisation).get(action="domain.records-written")
        assert line.after == {"provider": "cloudflare", "right": [f"{name}.{domain.name}" for name in PARTS]}

    def test_what_is_in_the_way_is_shown_and_replaced_when_that_is_said(
        self, domain: HostedDomain, person: Client, fake: Cloudflare
    ) -> None:
        fake.add("TXT", f"_mta-sts.{domain.name}", "v=STSv1; id=<1>;")
        page = post(person, replace="on")
        assert "Something else is there" in support_web.text_of(page)
        assert "TXT v=STSv1; id=<1>;" in support_web.text_of(page)
        assert len(fake.held() & ours_at(domain)) == 2
        post(person, replace="on", seen=page.context["mark"])
        assert fake.held() == ours_at(domain)

    def test_what_changed_meanwhile_is_shown_again(
        self, domain: HostedDomain, person: Client, fake: Cloudflare
    ) -> None:
        fake.add("TXT", f"_mta-sts.{domain.name}", "one")
        mark = post(person).context["mark"]
        fake.add("TXT", f"_mta-sts.{domain.name}", "two")
        page = post(person, replace="on", seen=mark)
        assert {("TXT", f"_mta-sts.{domain.name}", each) for each in ("one", "two")} <= fake.held()
        assert "TXT two" in support_web.text_of(page)

    def test_trouble_is_said_and_noted(self, domain: HostedDomain, person: Client, fake: Cloudflare) -> None:
        text = support_web.text_of(post(person, "wrong"))
        assert "does not accept these credentials for this zone. “HTTP 403 Bearer … is not valid”" in text
        line = AuditEntry.objects.of(domain.organisation).get(action="domain.records-written")
        assert line.after == {"provider": "cloudflare", "failed": "credentials"}

    def test_one_that_takes_too_long(self, person: Client, fake: Cloudflare, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(writing, "SECONDS", 0.1)
        monkeypatch.setattr(writing, "_threads", ThreadPoolExecutor(1))
        fake.gate.clear()
        assert "The provider did not answer in time." in support_web.text_of(post(person))
        assert "Records are being written already." in support_web.text_of(post(person))
        fake.gate.set()
        writing._threads.shutdown()  # when it is over, its place is free
        assert writing._talking == set()

    def test_one_conversation_at_a_time(
        self, domain: HostedDomain, person: Client, fake: Cloudflare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "_talking", {domain.organisation_id})
        assert "Records are being written already." in support_web.text_of(post(person))
        assert fake.calls == []

    def test_none_waits_for_a_thread(
        self, domain: HostedDomain, person: Client, fake: Cloudflare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "_talking", {-1, -2, -3, -4})
        assert "Records are being written already." in support_web.text_of(post(person))
        writing._talking.discard(-4)
        assert support_web.text_of(post(person)).count("In place") == 3
        assert writing._talking == {-1, -2, -3}

    def test_so_many_a_minute(self, person: Client, fake: Cloudflare, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(views, "MOST_A_MINUTE", 1)
        assert support_web.text_of(post(person)).count("In place") == 3
        fake.calls.clear()
        assert "That was a lot at once." in support_web.text_of(post(person))
        assert fake.calls == []

    def test_when_the_time_is_over_nothing_more_is_asked(
        self, domain: HostedDomain, fake: Cloudflare, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "SECONDS", 0.0)
        with pytest.raises(WritingFailed, match="silence"):
            writing._talk(domain.name, (Wanted("a.correio.example", "b.example"),), ACCESS, "")
        assert [path for _, path in fake.calls if "dns_records" in path] == []

    def test_the_guard_holds(self, person: Client, fake: Cloudflare, settings: Any) -> None:
        support_checks.configure(settings, allow_networks=())
        assert "This address is not dialled." in support_web.text_of(post(person))
        assert fake.calls == []


class TestCredentials:
    """Issue: credentials used once and not kept."""

    @pytest.mark.parametrize("token", [TOKEN, "wrong/s3cret"])
    def test_they_are_found_nowhere(
        self, person: Client, fake: Cloudflare, token: str, caplog: pytest.LogCaptureFixture, data: Path
    ) -> None:
        caplog.set_level(logging.DEBUG)
        with capture_logs() as logged:
            page = post(person, token)
        assert token not in page.content.decode()
        assert token not in everything() + caplog.text + repr(logged)
        kept = [path for path in data.rglob("*") if path.is_file() and not path.name.startswith("tests.sqlite3")]
        assert [path.name for path in kept if token.encode() in path.read_bytes()] == []

    def test_a_fault_of_ours_does_not_show_them(
        self, person: Client, fake: Cloudflare, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def fail(**_given: object) -> None:
            raise RuntimeError("a fault")

        monkeypatch.setattr(writing, "write_records", fail)
        person.raise_request_exception = False
        assert post(person).status_code == 500
        assert TOKEN not in caplog.text
        assert TOKEN not in repr(writing.Access("cloudflare", {"auth_token": TOKEN}))


class TestCommand:
    @pytest.fixture
    def keys(self, tmp_path: Path) -> Path:
        path = tmp_path / "keys"
        path.write_text(f"auth_token = {TOKEN}\n\n")
        return path

    @staticmethod
    def run(*arguments: object, typed: str = "") -> tuple[int, str]:
        words = ["records", "correio.example", "--write", *map(str, arguments)]
        result = CliRunner().invoke(app, words, input=typed)
        return result.exit_code, result.output

    def test_from_a_file(self, domain: HostedDomain, fake: Cloudflare, keys: Path) -> None:
        code, told = self.run("--provider", "cloudflare", "--credentials", keys)
        assert (code, told.count("in place")) == (0, 3)
        assert fake.held() == ours_at(domain)
        assert TOKEN not in everything()

    def test_from_standard_input_and_from_a_prompt(self, domain: HostedDomain, fake: Cloudflare) -> None:
        typed = f"auth_token={TOKEN}\n"
        assert self.run("--provider", "cloudflare", "--credentials", "-", typed=typed)[0] == 0
        code, told = self.run("--provider", "cloudflare", typed=f"\n{TOKEN}\n\n")
        assert (code, TOKEN in told) == (0, False)

    def test_what_is_in_the_way_stays_without_replace(self, domain: HostedDomain, fake: Cloudflare, keys: Path) -> None:
        fake.add("A", f"mta-sts.{domain.name}", "192.0.2.1")
        code, told = self.run("--provider", "cloudflare", "--credentials", keys)
        assert (code, f"In the way: mta-sts.{domain.name} A 192.0.2.1" in told) == (1, True)
        assert self.run("--provider", "cloudflare", "--credentials", keys, "--replace")[0] == 0
        assert fake.held() == ours_at(domain)

    def test_at_a_real_knot(self, domain: HostedDomain, tmp_path: Path, needs: Callable[[str], str]) -> None:
        needs("knotd")
        with support_dnsapi.knot(domain.name, tmp_path) as server:
            typed = "".join(f"{name}={value}\n" for name, value in server.credentials.items())
            assert self.run("--provider", "rfc2136", "--credentials", "-", typed=typed)[0] == 0
            assert server.at(f"_mta-sts.{domain.name}", "CNAME") == [f"{domain.label}.mta-sts.trinco.example."]

    def test_wrong_use(self, domain: HostedDomain, fake: Cloudflare, keys: Path, tmp_path: Path) -> None:
        code, told = self.run("--provider", "auto")
        assert (code, "--provider is one of" in told, "cloudflare" in told) == (2, True, True)
        code, told = self.run("--provider", "gandi", "--credentials", "-", typed="password=x\n")
        assert (code, "the credentials of this provider are" in told) == (2, True)
        assert self.run("--provider", "cloudflare", "--credentials", tmp_path / "absent")[0] == 3

    def test_trouble(self, domain: HostedDomain, fake: Cloudflare) -> None:
        code, told = self.run("--provider", "cloudflare", "--credentials", "-", typed="auth_token=wrong\n")
        assert (code, "does not accept these credentials" in told, "wrong" in told) == (3, True, False)
