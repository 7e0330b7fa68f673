"""The environment of the programs of `trinco serve`, and the file that says where they listen."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from trinco import config
from trinco.cli import place, serve
from trinco.cli.place import Endpoints, Login, Serving

TOLD = Endpoints(
    panel="http://localhost:8080",
    policy="127.0.0.1:8443",
    dns="127.0.0.1:8053",
    base="trinco.example",
    ca="/somewhere/ca.pem",
    login=Login("ana@trinco.example", "secret"),
    zones="127.0.0.1:8054",
)


class TestEnvironment:
    def test_of_the_playground_is_complete_and_loads(self, tmp_path: Path) -> None:
        given = {"TRINCO_DATA": str(tmp_path)}
        settings = config.load(given | place.environment(given, Serving(playground=True)))
        assert (settings.playground, str(settings.base), settings.data) == (True, "trinco.example", tmp_path)
        assert settings.resolvers == (settings.playground_listen,)
        assert settings.authority_port == settings.playground_listen[1]
        assert settings.policy_port == settings.policy_listen[0][1]
        assert {str(network) for network in settings.allow_networks} == {"127.0.0.0/8", "::1/128"}

    def test_of_the_playground_dials_nothing_but_loopback(self, tmp_path: Path) -> None:
        chosen = place.environment({"TRINCO_DATA": str(tmp_path)}, Serving(playground=True))
        settings = config.load(chosen)
        listening = [settings.panel_listen, *settings.policy_listen, *settings.dns_listen, settings.playground_listen]
        assert {host for host, _ in listening} <= {"127.0.0.1", "127.0.0.2", "::1"}

    def test_what_is_given_stays(self, tmp_path: Path) -> None:
        given = {
            "TRINCO_DATA": str(tmp_path),
            "TRINCO_PANEL_LISTEN": "127.0.0.1:1234",
            "TRINCO_BASE": "mta.example.net",
        }
        chosen = place.environment(given, Serving(playground=False))
        assert chosen["TRINCO_PANEL_LISTEN"] == "127.0.0.1:1234"
        assert str(config.load(given | chosen).base) == "mta.example.net"

    def test_what_depends_on_a_given_listener_follows_it(self, tmp_path: Path) -> None:
        listen = {"PANEL": "9555", "POLICY": "9556", "PLAYGROUND": "9557"}
        given = {f"TRINCO_{name}_LISTEN": f"127.0.0.1:{port}" for name, port in listen.items()}
        chosen = place.environment({"TRINCO_DATA": str(tmp_path), **given}, Serving(playground=True))
        names = ("PANEL_URL", "POLICY_PORT", "RESOLVERS", "AUTHORITY_PORT")
        wanted = ("http://localhost:9555", "9556", "127.0.0.1:9557", "9557")
        assert tuple(chosen[f"TRINCO_{name}"] for name in names) == wanted

    def test_outside_the_playground_nothing_is_made_up(self, tmp_path: Path) -> None:
        chosen = place.environment({"TRINCO_DATA": str(tmp_path)}, Serving(playground=False))
        assert set(chosen) == {
            f"TRINCO_{name}" for name in ("DATA", "PANEL_LISTEN", "POLICY_LISTEN", "DNS_LISTEN", "SMTP_LISTEN")
        }

    def test_mail_has_one_port_for_all(self, tmp_path: Path) -> None:
        given = {"TRINCO_DATA": str(tmp_path), "TRINCO_SMTP_LISTEN": "127.0.0.1:9558"}
        chosen = place.environment(given, Serving(playground=True))
        assert chosen["TRINCO_SMTP_PORT"] == "9558"

    @pytest.mark.parametrize("playground", [True, False])
    def test_no_mailbox_stays_no_mailbox(self, tmp_path: Path, playground: bool) -> None:
        given = {"TRINCO_DATA": str(tmp_path), "TRINCO_SMTP_LISTEN": ""}
        settings = config.load(given | place.environment(given, Serving(playground=playground)))
        told = place.endpoints(settings, Login("ana@trinco.example"))
        assert (settings.smtp_listen, told.smtp, told.reports) == ((), "", place.shown(settings.policy_listen[0]))

    def test_the_data_directory_becomes_absolute(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        chosen = place.environment({"TRINCO_DATA": ".run"}, Serving(playground=False))
        assert chosen["TRINCO_DATA"] == str(tmp_path / ".run")


class TestEndpoints:
    def test_the_file_says_where_everything_is(self, tmp_path: Path) -> None:
        place.write(tmp_path, TOLD)
        assert json.loads((tmp_path / "endpoints.json").read_bytes()) == {
            "panel": "http://localhost:8080",
            "policy": "127.0.0.1:8443",
            "dns": "127.0.0.1:8053",
            "zones": "127.0.0.1:8054",
            "base": "trinco.example",
            "ca": "/somewhere/ca.pem",
            "login": {"email": "ana@trinco.example", "password": "secret"},
        }

    def test_the_file_is_the_owners(self, tmp_path: Path) -> None:
        place.write(tmp_path, TOLD)
        assert (tmp_path / "endpoints.json").stat().st_mode & 0o777 == 0o600

    def test_the_file_goes_with_the_servers(self, tmp_path: Path) -> None:
        place.write(tmp_path, TOLD)
        place.remember(tmp_path, {"TRINCO_LOG": "info"})
        place.remove(tmp_path)
        place.remove(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_an_installation_has_neither_zones_nor_a_password_in_it(self, tmp_path: Path) -> None:
        settings = config.load({"TRINCO_DATA": str(tmp_path)})
        place.write(tmp_path, place.endpoints(settings, Login("admin@trinco.example")))
        written = json.loads((tmp_path / "endpoints.json").read_bytes())
        assert (written["login"], "zones" in written) == ({"email": "admin@trinco.example"}, False)
        assert written["ca"] == str(tmp_path / "ca.pem")


class TestRemembered:
    """`trinco doctor` beside a running `trinco serve` looks at the same ports."""

    def test_fills_in_what_the_environment_does_not_say(self, tmp_path: Path) -> None:
        place.remember(tmp_path, {"TRINCO_LOG": "info", "TRINCO_BASE": "a.example"})
        assert place.remembered({"TRINCO_DATA": str(tmp_path), "TRINCO_BASE": "b.example"}) == {"TRINCO_LOG": "info"}

    @pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"TRINCO_LOG": 1}'])
    def test_a_file_that_is_not_ours_says_nothing(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "serving.json").write_bytes(content)
        assert place.remembered({"TRINCO_DATA": str(tmp_path)}) == {}

    def test_no_file_says_nothing(self, tmp_path: Path) -> None:
        assert place.remembered({"TRINCO_DATA": str(tmp_path)}) == {}


class TestWords:
    @pytest.mark.parametrize(("endpoint", "text"), [(("127.0.0.1", 53), "127.0.0.1:53"), (("::1", 53), "[::1]:53")])
    def test_an_endpoint_is_shown_as_people_type_it(self, endpoint: tuple[str, int], text: str) -> None:
        assert place.shown(endpoint) == text

    def test_the_commands_to_try_name_the_ports(self) -> None:
        fetch, ask = place.commands(TOLD)
        policy = "https://mta-sts.correio.example/.well-known/mta-sts.txt"
        assert fetch == f"curl --cacert /somewhere/ca.pem --connect-to ::127.0.0.1:8443 {policy}"
        assert ask == "dig @127.0.0.1 -p 8054 _mta-sts.correio.example TXT"

    def test_as_many_things_to_try_as_the_readme_has(self) -> None:
        made_up = replace(config.load({}), playground=True)
        said = serve.greeting(made_up, TOLD, TOLD.login)
        readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
        lists = [text.partition("Four things to try:\n")[2] for text in (said, readme)]
        assert [re.findall(r"(?m)^ ?(\d)\. ", each.partition("Ctrl-C")[0]) for each in lists] == [list("1234")] * 2
        assert all(f"{line}\n" in said for line in place.commands(TOLD))
