"""All that is hosted as files, from the pages: a ZIP that goes out as it is made, and the file of `trinco apply`."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel, support_web

from trinco.panel.accounts import tokens
from trinco.panel.accounts.models import Membership, Organisation
from trinco.panel.declared import present
from trinco.panel.declared.reading import read
from trinco.panel.domains import services as domains
from trinco.panel.policies import bundles, imports


@pytest.fixture
def norte(ours: Organisation) -> Organisation:
    return Organisation.objects.create(name="Norte", parent=ours)


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def unpacked(client: Client, address: str) -> zipfile.ZipFile:
    answer = client.get(address)
    assert (answer.status_code, answer.streaming, answer["Content-Type"]) == (200, True, "application/zip")
    return zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))


def folders(archive: zipfile.ZipFile) -> list[str]:
    assert archive.testzip() is None
    return [name.partition("/")[0] for name in archive.namelist() if name.endswith(bundles.POLICY_FILE)]


class TestBundle:
    """Issue 5: a static bundle export, so that a customer can leave in minutes."""

    def test_of_one_organisation(self, ours: Organisation, norte: Organisation, person: Client) -> None:
        domain = support_panel.live(ours, "a.example")
        support_panel.live(norte, "b.example")
        support_panel.hosted(ours, "no-policy.example")
        archive = unpacked(person, f"/o/{ours.pk}/takeout/own/bundle.zip")
        assert folders(archive) == ["a.example"]
        assert archive.namelist()[:5] == ["README.en.md", "README.pt.md", "nginx.conf", "Caddyfile", "apache.conf"]
        body = bytes(support_panel.standing(domain).current.body)
        assert archive.read(f"a.example/{bundles.POLICY_FILE}") == body
        assert b"include /srv/mta-sts/*/nginx.conf;" in archive.read("nginx.conf")

    def test_of_a_provider_with_its_clients(
        self, ours: Organisation, norte: Organisation, theirs: Organisation, person: Client
    ) -> None:
        """A name that waits in one of them and is served for another is there once, as it is served."""
        imports.start(organisation=ours, text="b.example,mx.wrong.example", actor=support_panel.ANA)
        imports.imports_due(timezone.now())
        served = support_panel.live(norte, "b.example", ("mx.b.example",))
        support_panel.live(theirs, "alheio.example")
        archive = unpacked(person, f"/o/{ours.pk}/takeout/all/bundle.zip")
        assert folders(archive) == ["b.example"]
        body = bytes(support_panel.standing(served).current.body)
        assert archive.read(f"b.example/{bundles.POLICY_FILE}") == body

    def test_a_client_has_no_clients(self, norte: Organisation) -> None:
        support_panel.live(norte, "b.example")
        client = support_web.browser(support_web.person("nia@example.com", norte))
        assert client.get("/takeout/all/bundle.zip").status_code == 404
        assert client.get("/takeout/else/bundle.zip").status_code == 404
        assert folders(unpacked(client, "/takeout/own/bundle.zip")) == ["b.example"]

    def test_nothing_to_take(self, ours: Organisation, person: Client) -> None:
        assert person.get("/takeout/own/bundle.zip").status_code == 404
        assert "No domain has a policy yet." in support_web.text_of(person.get("/takeout/"))

    def test_the_page_says_how_many(self, ours: Organisation, norte: Organisation, person: Client) -> None:
        support_panel.live(ours, "a.example")
        support_panel.live(norte, "b.example")
        text = support_web.text_of(person.get(f"/o/{ours.pk}/takeout/"))
        assert "1 domain (ZIP) With all clients: 2 domains (ZIP)" in text

    def test_queries_do_not_grow(self, ours: Organisation, person: Client) -> None:
        person.get("/takeout/")  # the first request of a session notes when it was seen
        counted = []
        for turn in range(2):
            for number in range(3):
                support_panel.live(ours, f"t{turn}d{number}.example")
            with CaptureQueriesContext(connection) as queries:
                unpacked(person, "/takeout/own/bundle.zip")
            counted.append(len(queries))
        assert counted[0] == counted[1]


class TestSecondFactor:
    """A client that demands a second factor is shown to nobody without one, on its own pages or among others."""

    @pytest.fixture
    def locked(self, ours: Organisation, norte: Organisation) -> Organisation:
        support_panel.live(ours, "a.example")
        support_panel.live(norte, "b.example")
        Organisation.objects.filter(pk=norte.pk).update(mfa_required=True)
        return norte

    def test_it_is_in_no_file(self, locked: Organisation, ours: Organisation, person: Client) -> None:
        assert folders(unpacked(person, f"/o/{ours.pk}/takeout/all/bundle.zip")) == ["a.example"]
        assert b"b.example" not in person.get(f"/o/{ours.pk}/takeout/state.yaml").content

    def test_nor_in_one_of_the_api(self, locked: Organisation, ours: Organisation, client: Client) -> None:
        owner = Membership.objects.get(organisation=ours)
        _token, key = tokens.create_token(membership=owner, name="x", days=30, actor=support_panel.ANA)
        headers = {"Authorization": f"Bearer {key}"}
        state = client.get("/api/v1/takeout/apply.yaml", headers=headers)
        assert (state.status_code, b"b.example" in state.content) == (200, False)
        bundle = client.get("/api/v1/takeout/bundle.zip?clients=true", headers=headers)
        assert folders(zipfile.ZipFile(io.BytesIO(b"".join(bundle.streaming_content)))) == ["a.example"]  # type: ignore[attr-defined]

    @pytest.mark.parametrize("path", ["/takeout/", "/clients/"])
    def test_the_page_says_so(self, locked: Organisation, ours: Organisation, person: Client, path: str) -> None:
        text = support_web.text_of(person.get(f"/o/{ours.pk}{path}"))
        assert "1 client wants a second factor of you first, and is left out here." in text
        assert "b.example" not in text

    def test_with_a_factor_it_is_there(self, locked: Organisation, ours: Organisation, person: Client) -> None:
        Authenticator.objects.create(user=support_web.owner_of(ours), type=Authenticator.Type.TOTP, data={})
        assert folders(unpacked(person, f"/o/{ours.pk}/takeout/all/bundle.zip")) == ["a.example", "b.example"]
        assert "b.example" in support_web.text_of(person.get(f"/o/{ours.pk}/clients/"))


@pytest.mark.slow
class TestTenThousand:
    """A ZIP of 10,000 domains goes out as it is made: what waits in memory is its table of contents."""

    def test_memory(self, ours: Organisation) -> None:
        text = "\n".join(f"d{number}.example,mx1.d{number}.example" for number in range(10_000))
        imports.start(organisation=ours, text=text, actor=support_panel.ANA)
        while imports.imports_due(timezone.now()):
            pass
        pieces = bundles.zip_pieces(bundles.entries_of_many(bundles.taken_along([ours])))
        next(pieces)
        tracemalloc.start()
        octets = sum(map(len, pieces))
        _now, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        print(f"{octets} octets, {most} in memory")
        assert octets > 30_000_000
        assert most < 80_000_000


class TestState:
    def test_the_file_of_a_provider(self, ours: Organisation, norte: Organisation, person: Client) -> None:
        support_panel.live(ours, "a.example")
        domains.set_tlsrpt(domain=support_panel.live(norte, "b.example"), actor=support_panel.ANA, on=False)
        answer = person.get(f"/o/{ours.pk}/takeout/state.yaml")
        assert answer["Content-Disposition"] == f'attachment; filename="trinco-{ours.pk}.yaml"'
        (own,) = read(answer.content).organisations
        assert (own.name, [each.name for each in own.clients]) == (ours.name, ["Norte"])
        assert read(answer.content) == present.declaration([ours, norte])[0]

    def test_it_says_which_clients_it_cannot_name(
        self, ours: Organisation, norte: Organisation, person: Client
    ) -> None:
        for name in ("Sul", "Sul", "Este\u2028organisations:"):
            support_panel.live(
                Organisation.objects.create(name=name, parent=ours), f"d{Organisation.objects.count()}.pt"
            )
        content = person.get(f"/o/{ours.pk}/takeout/state.yaml").content
        (own,) = read(content).organisations
        assert [each.name for each in own.clients] == ["Norte"]
        assert [line for line in content.decode().split("\n") if line.startswith("# Left out")] == [
            "# Left out: Este?organisations:: others are called so, or it cannot be written.",
            "# Left out: Sul: others are called so, or it cannot be written.",
        ]

    def test_a_client_is_told_nothing_of_its_provider(self, ours: Organisation, norte: Organisation) -> None:
        client = support_web.browser(support_web.person("nia@example.com", norte))
        content = client.get("/takeout/state.yaml").content
        assert ([each.name for each in read(content).organisations], ours.name.encode() in content) == (
            ["Norte"],
            False,
        )
