"""`trinco export bundle`, and the same files from the domain's page: nginx serves what the edges would."""

from __future__ import annotations

import asyncio
import io
import socket
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dns.zone
import pytest
from tests import support_panel, support_web
from tests.support_certs import Authority
from typer.testing import CliRunner

from trinco.cli import ports
from trinco.cli.main import app
from trinco.core.mtasts.policy import Mode
from trinco.core.names import Domain
from trinco.net.https import context, fetch_policy
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import bundles, services

pytestmark = pytest.mark.django_db

NAMES = [bundles.POLICY_FILE, *bundles.TEXTS]
ABOVE = {"README.en.md", "README.pt.md", "nginx.conf", "Caddyfile", "apache.conf"}


def run(*arguments: object) -> tuple[int, str]:
    """Exit code, and what was said."""
    result = CliRunner().invoke(app, ["export", "bundle", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def ours() -> Organisation:
    return support_panel.organisation()


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """In enforce, announced."""
    domain = support_web.ready(ours)
    services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
    return support_web.settled(domain)


def served(domain: HostedDomain) -> tuple[bytes, str]:
    """The body that the edges give out, and the id that DNS says."""
    standing = support_panel.standing(domain)
    assert standing.announced == standing.current
    return bytes(standing.current.body), standing.current.policy_id


class TestFiles:
    """RFC 8461 section 8.1: the same policy under the same id: senders notice no change."""

    def test_a_folder(self, domain: HostedDomain, tmp_path: Path) -> None:
        assert run(domain.name, "--out", tmp_path) == (0, f"7 files in {tmp_path}\n")
        here = tmp_path / domain.name
        assert sorted(str(path.relative_to(here)) for path in here.rglob("*") if path.is_file()) == sorted(NAMES)
        assert (here / bundles.POLICY_FILE).read_bytes() == served(domain)[0]

    def test_the_zone_has_what_dns_says_without_us(self, domain: HostedDomain) -> None:
        text = bundles.files(domain)["records.zone"].decode()
        zone = dns.zone.from_text(text, "correio.example.", relativize=False, check_origin=False)
        assert {str(name): str(rdata) for name, _, rdata in zone.iterate_rdatas()} == {
            "_mta-sts.correio.example.": f'"v=STSv1; id={served(domain)[1]};"',
            "_smtp._tls.correio.example.": '"v=TLSRPTv1; rua=mailto:tls-reports@correio.example"',
        }
        assert f"; {domain.policy_host}. 3600 IN A " in text
        assert "trinco" not in text.lower().replace("without trinco", "")

    def test_who_wants_no_reports_gets_no_record_for_them(self, domain: HostedDomain) -> None:
        HostedDomain.objects.of(domain.organisation).update(tlsrpt=False)
        domain.refresh_from_db()
        texts = bundles.files(domain)
        assert b"_smtp._tls" not in texts["records.zone"]
        assert b"records.zone`. The id" in texts["README.en.md"]

    def test_the_readme_is_in_both_languages(self, domain: HostedDomain) -> None:
        texts = bundles.files(domain)
        assert texts["README.en.md"].startswith(b"# MTA-STS of correio.example without Trinco\n")
        assert texts["README.pt.md"].startswith(b"# MTA-STS de correio.example sem o Trinco\n")
        assert all(served(domain)[1].encode() in texts[name] for name in ("README.en.md", "README.pt.md"))

    def test_the_same_state_gives_the_same_octets(self, domain: HostedDomain) -> None:
        one, other = io.BytesIO(), io.BytesIO()
        assert [bundles.write_zip(out, bundles.entries([domain])) for out in (one, other)] == [7, 7]
        assert one.getvalue() == other.getvalue()


class TestCommand:
    def test_an_organisation_as_one_zip(self, ours: Organisation, domain: HostedDomain, tmp_path: Path) -> None:
        """One that has no policy yet has nothing to take along."""
        other = support_panel.live(ours, "outro.example")
        support_panel.hosted(ours, "novo.example")
        assert run("--organisation", "--out", tmp_path / "all.zip") == (0, f"19 files in {tmp_path / 'all.zip'}\n")
        with zipfile.ZipFile(tmp_path / "all.zip") as archive:
            assert {name.partition("/")[0] for name in archive.namelist()} == {domain.name, other.name, *ABOVE}
            assert archive.read(f"{domain.name}/{bundles.POLICY_FILE}") == served(domain)[0]

    def test_nothing_of_others(self, domain: HostedDomain, tmp_path: Path) -> None:
        support_panel.live(support_panel.organisation("rui@example.net"), "alheio.example")
        run("--organisation", "--owner", "ana@example.com", "--out", tmp_path)
        assert {path.name for path in tmp_path.iterdir()} == {domain.name, *ABOVE}

    def test_nothing_is_written_over(self, domain: HostedDomain, tmp_path: Path) -> None:
        for out in (tmp_path / "one", tmp_path / "one.zip"):
            assert run(domain.name, "--out", out)[0] == 0
            code, told = run(domain.name, "--out", out)
            assert (code, "is there already" in told) == (2, True)

    def test_where_nothing_can_be_written(self, domain: HostedDomain, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        for out in (tmp_path / "file" / "x", tmp_path / "file" / "x.zip"):
            code, told = run(domain.name, "--out", out)
            assert (code, "cannot be written" in told) == (3, True)

    def test_a_domain_without_a_policy(self, ours: Organisation, tmp_path: Path) -> None:
        support_panel.hosted(ours)
        assert run("correio.example", "--out", tmp_path) == (1, "trinco: nothing to write: no policy is served\n")
        out = tmp_path / "a.zip"
        assert (run("correio.example", "--out", out)[0], out.exists()) == (1, False)

    @pytest.mark.parametrize("arguments", [(), ("correio.example", "--organisation")])
    def test_which(self, domain: HostedDomain, arguments: tuple[str, ...], tmp_path: Path) -> None:
        told = "trinco: name a domain, or say --organisation\n"
        assert run(*arguments, "--out", tmp_path) == (2, told)


class TestPage:
    def test_the_download(self, domain: HostedDomain) -> None:
        client = support_web.browser(support_web.owner_of(domain.organisation))
        assert f"/domains/{domain.name}/bundle.zip" in client.get(f"/domains/{domain.name}/").content.decode()
        answer = client.get(f"/domains/{domain.name}/bundle.zip")
        assert answer["Content-Disposition"] == 'attachment; filename="correio.example.zip"'
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.read(f"{domain.name}/{bundles.POLICY_FILE}") == served(domain)[0]

    def test_none_before_the_first_policy(self, ours: Organisation) -> None:
        support_panel.hosted(ours)
        client = support_web.browser(support_web.owner_of(ours))
        assert client.get("/domains/correio.example/bundle.zip").status_code == 404


class TestNginx:
    """Issue: the customer leaves with the bundle, which nginx serves unchanged."""

    @staticmethod
    def adapted(text: str, pem: Path, root: Path) -> str:
        """The snippet for this machine: another port, certificate and folder, and nothing else."""
        lines = [line for line in text.splitlines() if "listen [::]" not in line]
        places = {"/etc/ssl/mta-sts.correio.example.pem": pem, "/etc/ssl/mta-sts.correio.example.key": pem}
        snippet = "\n".join(lines).replace("/srv/mta-sts/correio.example/www", str(root))
        for there, here in places.items():
            snippet = snippet.replace(there, str(here))
        return snippet

    @contextmanager
    def serving(self, program: str, snippet: str, tmp_path: Path) -> Iterator[int]:
        port = ports.free([(ports.LOOPBACK, 0, ports.TCP)])
        snippet = snippet.replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        temporary = " ".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi"))
        temporary += " ".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("uwsgi", "scgi"))
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; master_process off; pid {tmp_path}/pid; error_log {tmp_path}/log;\n"
            f"events {{}}\nhttp {{ access_log off; {temporary}\n{snippet}\n}}\n"
        )
        process = subprocess.Popen([program, "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "log"])
        try:
            self.wait_for(process, port)
            yield port
        finally:
            process.terminate()
            process.wait(60)

    @staticmethod
    def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 60).close()
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.02)
            else:
                return

    def test_it_serves_the_policy_as_a_sender_wants_it(
        self, domain: HostedDomain, tmp_path: Path, needs: Callable[[str], str]
    ) -> None:
        program = needs("nginx")
        run(domain.name, "--out", tmp_path)
        here, authority = tmp_path / domain.name, Authority(tmp_path, "root")
        snippet = self.adapted((here / "nginx.conf").read_text(), authority.leaf(domain.policy_host), here / "www")
        with self.serving(program, snippet, tmp_path) as port:
            asked = fetch_policy(Domain.parse(domain.name), "127.0.0.1", port, context(authority.pem))
            assert asyncio.run(asked) == served(domain)[0]
