"""Edges as real processes: without a database, stopped and continued, killed, and ended as a terminal ends them."""

from __future__ import annotations

import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.edge.installation import COMMAND, LEAKS, PATIENCE, Installation, drained, installed, request, until

from trinco.edge import carrier, guests, node

pytestmark = pytest.mark.filterwarnings(LEAKS)
NAMES = ("correio.example", "um.example", "dois.example")


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Iterator[Installation]:
    """Three edges that announce everything."""
    with installed(tmp_path_factory.mktemp("processes"), *NAMES, edges=3) as made:
        made.do("announce")
        for edge in made.edges:
            edge.start(wait=False)
        until(lambda: all(made.announced(name) for name in NAMES))
        yield made


@pytest.fixture
def one(made) -> Installation:
    """The same, when the first edge is in step."""
    until(lambda: made.edges[0].name in made.do("edges") and all(made.announced(name) for name in NAMES))
    return made


@dataclass
class Aftermath:
    """What came of it. `waiting` is what those got who had sent their request while the edge was stopped."""

    there: set[str]
    """Edges that had a lease when it was announced."""
    waiting: list[bytes]
    seen: set[bytes | None]
    restarted: bytes | None


@pytest.fixture(scope="module")
def aftermath(made) -> Aftermath:
    """The second edge is stopped and the third killed; two policies are announced without them; both come back."""
    first, second, third = made.edges
    until(lambda: len(made.do("edges")) == 3)
    with ExitStack() as stack:
        clients = [stack.enter_context(second.connected("um.example", made.context())) for _ in range(5)]
        second.signal(signal.SIGSTOP)
        third.kill()
        for client in clients:
            client.sendall(request("um.example"))
        ids = {name: made.do("publish", name, 3) for name in ("um.example", "dois.example")}
        until(lambda: all(first.policy_id(made.labels[name]) == ids[name] for name in ids), first.say)
        there = set(made.do("leased"))
        second.signal(signal.SIGCONT)
        waiting = [answer_to(client) for client in clients]
    seen: set[bytes | None] = set()
    until(lambda: seen.add(second.body("um.example", made.context())) or body("um.example", 3) in seen)
    third.start()
    return Aftermath(there, waiting, seen, third.body("dois.example", made.context()))


def answer_to(client: ssl.SSLSocket) -> bytes:
    """The body that this client gets, b"" for none."""
    client.settimeout(PATIENCE)
    try:
        return drained(client).partition(b"\r\n\r\n")[2]
    except OSError:
        return b""


def answers(made: Installation) -> list[tuple[bytes, str | None]]:
    """All that is served, to the byte, but for the time of day."""
    edge, context = made.edges[0], made.context()
    responses = [edge.fetch(name, context) or b"" for name in NAMES]
    timeless = [re.sub(rb"\r\nDate: [^\r]+", b"", response) for response in responses]
    return [(response, edge.txt(made.labels[name])) for response, name in zip(timeless, NAMES, strict=True)]


def body(name: str, number: int) -> bytes:
    return f"version: STSv1\r\nmode: testing\r\nmx: v{number}.{name}\r\nmax_age: 86400\r\n".encode()


class TestWithoutDatabase:
    """RELIABILITY 3: kill the database, restart the edges; curl and dig say the same for every customer, to the byte."""

    @pytest.fixture
    def gone(self, one) -> Callable[[], None]:
        """`gone()` takes the database away; it is back after the test."""
        files = [Path(f"{one.database}{suffix}") for suffix in ("", "-wal", "-shm")]

        def take() -> None:
            one.do("close")
            for path in files:
                if path.exists():
                    path.rename(path.with_suffix(path.suffix + ".gone"))

        yield take
        for path in files:
            away = path.with_suffix(path.suffix + ".gone")
            if away.exists():
                away.rename(path)

    def test_it_serves_on_and_starts_without_it(self, one, gone):
        edge, before = one.edges[0], answers(one)
        assert [found[0].partition(b"\r\n\r\n")[2] for found in before] == [body(name, 1) for name in NAMES]
        gone()
        until(lambda: "database_away" in edge.say())
        assert answers(one) == before
        edge.kill()
        edge.start()
        assert answers(one) == before
        assert not one.database.exists()

    def test_curl_and_dig_agree_and_it_catches_up(self, one, gone, needs):
        edge = one.edges[0]
        curl = [needs("curl"), "-sS", "--cacert", str(one.data / "ca.pem")]
        curl += ["--connect-to", f"::{edge.address}:{edge.policy_port}"]
        dig = [needs("dig"), f"@{edge.address}", "-p", str(edge.dns_port), "+short"]

        def asked() -> list[bytes]:
            return [
                subprocess.check_output([*curl, "https://mta-sts.correio.example/.well-known/mta-sts.txt"]),
                subprocess.check_output([*dig, "TXT", f"{one.labels['correio.example']}.mta-sts.trinco.example"]),
            ]

        until(lambda: one.announced("correio.example"))
        before = asked()
        gone()
        time.sleep(0.5)
        assert asked() == before
        assert b"v=STSv1; id=" in before[1]

    def test_afterwards_it_follows_again(self, one):
        one.do("publish", "um.example", 2)
        until(lambda: one.announced("um.example"), one.edges[0].say)
        assert one.edges[0].body("um.example", one.context()) == body("um.example", 2)

    def test_a_torn_snapshot_gives_way_to_the_one_before(self, one, gone):
        edge, directory = one.edges[0], one.data / "edge" / "edge1"
        edge.kill()
        newest = max(directory.glob("*.base"))
        shutil.copy(newest, directory / "0000009999.base")
        with (directory / "0000009999.base").open("r+b") as file:
            file.truncate(newest.stat().st_size - 1)
        gone()
        edge.start()
        assert edge.body("correio.example", one.context()) == body("correio.example", 1)
        assert edge.say().count("snapshot_damaged") == 1


class TestLeases:
    """RELIABILITY 5: an announcement waits for every edge that is there, and for no other; none answers with what is old."""

    def test_a_dead_edge_holds_an_announcement_up_for_a_lease_and_no_longer(self, aftermath):
        assert aftermath.there <= {"edge1"}

    def test_a_stopped_edge_is_silent_until_it_has_caught_up(self, aftermath):
        assert aftermath.seen <= {None, body("um.example", 3)}
        assert aftermath.waiting == [b""] * 5

    def test_a_restarted_edge_answers_with_what_is_new(self, aftermath):
        assert aftermath.restarted == body("dois.example", 3)

    def test_a_restarted_edge_does_not_wait_for_its_own_lease(self, made):
        third = made.edges[2]
        third.kill()
        third.start()
        assert "edge_waits" not in third.say(third.offset)


class TestEnd:
    """RELIABILITY 3: a graceful stop within ten seconds; the lease is given back, and nobody waits for this edge."""

    def test_a_second_edge_of_the_name_does_not_start(self, one):
        environment = one.edges[0].environment
        second = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (second.returncode, "another edge of this name" in second.stderr) == (3, True)

    def test_a_name_that_is_no_directory_is_refused(self, one):
        environment = one.edges[0].environment | {"TRINCO_EDGE_NAME": "../edge1"}
        second = subprocess.run(COMMAND, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert (second.returncode, second.stderr.startswith("trinco: TRINCO_EDGE_NAME: ")) == (2, True)

    def test_the_waits_of_the_end_together(self):
        assert guests.GRACE + carrier.FAREWELL + node.GOODBYE < 10

    def test_sigterm(self, one):
        edge = one.edges[0]
        assert edge.stop() == 0
        assert edge.name not in one.do("edges")
