"""`trinco serve` as a whole: started as a person starts it, asked as senders ask it, ended as a terminal ends it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest
from tests.support_serve import CLEAN, COMMAND, Server, ask, end, fetch, start, wait

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("playground"))
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(60)


class TestEndpoints:
    def test_say_where_everything_is(self, server: Server) -> None:
        told = server.told
        assert set(told) == {"panel", "policy", "dns", "zones", "reports", "smtp", "base", "ca", "login"}
        assert (told["base"], told["ca"]) == ("trinco.example", str(server.data / "ca.pem"))
        assert told["login"] == {"email": "ana@trinco.example", "password": "abre-te-sesamo"}

    def test_the_greeting_names_them(self, server: Server) -> None:
        said = server.say()
        for word in (server.told["panel"], "ana@trinco.example", "abre-te-sesamo", "curl --cacert", "dig @"):
            assert word in said

    def test_one_data_directory_has_one_server(self, server: Server) -> None:
        done = subprocess.run(
            COMMAND,
            cwd=server.data.parent,
            env={**CLEAN, "TRINCO_DATA": ".run"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, "another one works with" in done.stderr) == (2, True)


class TestRoad:
    """What a sending mail server does: the TXT through the customer's CNAME, then the policy by its own name."""

    def test_the_record_is_found_through_the_customers_cname(self, server: Server) -> None:
        reply = ask(server, "_mta-sts.correio.example", "TXT")
        alias, text = (str(each) for each in reply.answer)
        assert re.fullmatch(r"_mta-sts\.correio\.example\. 5 IN CNAME [a-z2-7]{26}\.mta-sts\.trinco\.example\.", alias)
        assert re.search(r'IN TXT "v=STSv1; id=[0-9TZ]{16}[0-9a-f]{8};"$', text)

    def test_the_policy_is_served_under_its_own_name(self, server: Server) -> None:
        assert fetch(server, "correio.example") == (
            200,
            "version: STSv1\r\nmode: enforce\r\nmx: mx1.correio.example\r\nmx: mx2.correio.example\r\nmax_age: 604800\r\n",
        )

    def test_a_name_with_an_accent_has_its_policy(self, server: Server) -> None:
        status, body = fetch(server, "xn--cmara-3qa.example")
        assert (status, "mode: testing" in body) == (200, True)

    def test_a_stranger_has_none(self, server: Server) -> None:
        with pytest.raises(ssl.SSLError):
            fetch(server, "novo.example")
        assert ask(server, "_mta-sts.novo.example", "TXT").rcode() == dns.rcode.NXDOMAIN

    def test_our_name_server_has_authority_for_our_zone(self, server: Server) -> None:
        reply = ask(server, "trinco.example", "NS", at="dns")
        assert [str(each).rpartition(" ")[2] for each in reply.answer] == ["ns1.trinco.example."]

    def test_the_panel_asks_who_is_there(self, server: Server) -> None:
        address = server.told["panel"].removeprefix("http://")
        with closing(http.client.HTTPConnection(address, timeout=60)) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 302


class TestDoctor:
    def test_finds_the_playground_well(self, server: Server) -> None:
        """With the settings that the running server has chosen."""

        def verdicts() -> dict[str, str]:
            done = subprocess.run(
                [sys.executable, "-m", "trinco", "doctor", "--json"],
                cwd=server.data.parent,
                env={**CLEAN, "TRINCO_DATA": ".run"},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            return {finding["part"]: finding["verdict"] for finding in json.loads(done.stdout)["findings"]}

        wait(lambda: set(verdicts().values()) == {"ok"}, 120)


class TestEnd:
    """Ctrl-C, and SIGTERM from whoever runs it: within 10 s, with nothing left; then once more from where it was."""

    def test_a_killed_program_comes_back_and_the_end_leaves_nothing(self, server: Server) -> None:
        edge = next(pid for pid in server.children if b"edge" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(edge, signal.SIGKILL)
        wait(lambda: "edge1 ended (killed by SIGKILL)" in server.say(), 60)
        wait(lambda: self.serves(server), 120)
        assert end(server, signal.SIGINT) == (0, [])
        assert not (server.data / "endpoints.json").exists()

    def test_a_second_start_finds_everything_as_it_was(self, server: Server) -> None:
        labels = re.findall(r"[a-z2-7]{26}\.policy", (server.data / "playground" / "zones.json").read_text())
        again = start(server.data.parent)
        assert re.findall(r"[a-z2-7]{26}\.policy", (again.data / "playground" / "zones.json").read_text()) == labels
        assert fetch(again, "correio.example")[0] == 200
        assert end(again, signal.SIGTERM) == (0, [])

    @staticmethod
    def serves(server: Server) -> bool:
        try:
            return fetch(server, "correio.example")[0] == 200
        except OSError:
            return False


class TestWrongUse:
    @pytest.mark.parametrize(
        ("arguments", "settings", "said"),
        [
            (["--port-base", "80"], {}, "--port-base"),
            ([], {"TRINCO_NONSENSE": "1"}, "TRINCO_NONSENSE: there is no such setting"),
            ([], {"TRINCO_LOG": "loud"}, "TRINCO_LOG: wants one of"),
        ],
    )
    def test_says_what_is_wrong_and_starts_nothing(
        self, tmp_path: Path, arguments: list[str], settings: dict[str, str], said: str
    ) -> None:
        done = subprocess.run(
            [*COMMAND, *arguments],
            cwd=tmp_path,
            env=CLEAN | settings,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode, said in done.stderr) == (2, True)
        assert list(tmp_path.iterdir()) == []
