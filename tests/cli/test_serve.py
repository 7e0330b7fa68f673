"""`trinco serve` as a whole: started as a person starts it, asked as senders ask it, ended as a terminal ends it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from trinco.cli import ports

COMMAND = [sys.executable, "-m", "trinco", "serve", "--playground"]
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("TRINCO_", "DJANGO_"))}

pytestmark = pytest.mark.timeout(200)


@dataclass
class Server:
    """A running `trinco serve`, its data directory and the file that says where it listens."""

    process: subprocess.Popen[bytes]
    data: Path
    log: Path

    @property
    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "endpoints.json").read_bytes())
        return found

    @property
    def children(self) -> list[int]:
        """The processes that the supervisor has started, and what these have started."""
        return descendants(self.process.pid)

    def say(self) -> str:
        return self.log.read_text(errors="replace")


def start(folder: Path, *arguments: str) -> Server:
    log = folder / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=folder,
            env={**CLEAN, "TRINCO_DATA": ".run"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    server = Server(process, folder / ".run", log)
    wait(lambda: (server.data / "endpoints.json").exists() or process.poll() is not None, 90)
    assert process.poll() is None, server.say()
    return server


def wait(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def descendants(parent: int) -> list[int]:
    stats = [stat for each in Path("/proc").glob("[0-9]*/stat") if (stat := read(each))]
    parents = {int(stat.split()[0]): int(stat.rpartition(")")[2].split()[1]) for stat in stats}
    children = [pid for pid, above in parents.items() if above == parent]
    return [*children, *(below for child in children for below in descendants(child))]


def read(stat: Path) -> str:
    """A process may end while one looks at it."""
    try:
        return stat.read_text()
    except OSError:
        return ""


def running(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def end(server: Server, number: signal.Signals) -> tuple[int, list[int]]:
    """Signal the whole process group, as a terminal does; the exit status and the processes that are left."""
    children = server.children
    assert len(children) >= 4
    os.killpg(server.process.pid, number)
    status = server.process.wait(12)
    return status, running(children)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(tmp_path_factory.mktemp("playground"))
    yield running
    if running.process.poll() is None:
        running.process.terminate()
        running.process.wait(15)


def fetch(server: Server, domain: str) -> tuple[int, str]:
    """A policy, by its own name and under the root of the development CA (RFC 8461 section 3.3)."""
    host, _, port = server.told["policy"].rpartition(":")
    context = ssl.create_default_context(cafile=server.told["ca"])
    raw = socket.create_connection((host, int(port)), timeout=10)
    with context.wrap_socket(raw, server_hostname=f"mta-sts.{domain}") as connection:
        connection.sendall(f"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.{domain}\r\n\r\n".encode())
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response.status, response.read().decode()


def ask(server: Server, name: str, rtype: str, at: str = "zones") -> dns.message.Message:
    host, _, port = server.told[at].rpartition(":")
    return dns.query.udp(dns.message.make_query(name, rtype), host, port=int(port), timeout=5)


class TestEndpoints:
    def test_say_where_everything_is(self, server: Server) -> None:
        told = server.told
        assert set(told) == {"panel", "policy", "dns", "zones", "base", "ca", "login"}
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
            timeout=60,
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
        with closing(http.client.HTTPConnection(address, timeout=10)) as connection:
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
                timeout=60,
                check=False,
            )
            return {finding["part"]: finding["verdict"] for finding in json.loads(done.stdout)["findings"]}

        wait(lambda: set(verdicts().values()) == {"ok"}, 30)


class TestEnd:
    """Ctrl-C, and SIGTERM from whoever runs it: within 10 s, with nothing left; then once more from where it was."""

    def test_a_killed_program_comes_back_and_the_end_leaves_nothing(self, server: Server) -> None:
        edge = next(pid for pid in server.children if b"edge" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(edge, signal.SIGKILL)
        wait(lambda: "edge1 ended (killed by SIGKILL)" in server.say(), 10)
        wait(lambda: self.serves(server), 20)
        assert end(server, signal.SIGINT) == (0, [])
        assert not (server.data / "endpoints.json").exists()

    def test_a_second_start_finds_everything_as_it_was(self, server: Server) -> None:
        labels = re.findall(r"[a-z2-7]{26}\.policy", (server.data / "playground" / "zones.json").read_text())
        again = start(server.data.parent, "--port-base", str(self.free_base()))
        assert re.findall(r"[a-z2-7]{26}\.policy", (again.data / "playground" / "zones.json").read_text()) == labels
        assert fetch(again, "correio.example")[0] == 200
        assert end(again, signal.SIGTERM) == (0, [])

    @staticmethod
    def serves(server: Server) -> bool:
        try:
            return fetch(server, "correio.example")[0] == 200
        except OSError:
            return False

    @staticmethod
    def free_base() -> int:
        return next(base for base in range(21_000, 60_000, 50) if ports.choose(base)["smtp"] == base + 5)


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
            timeout=60,
            check=False,
        )
        assert (done.returncode, said in done.stderr) == (2, True)
        assert list(tmp_path.iterdir()) == []
