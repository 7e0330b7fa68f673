"""What a front is answered, over real sockets."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Thread

import pytest
from tests.edge.front_rig import Front, fronted, get
from tests.edge.held_clock import HeldClock
from tests.edge.policy_rig import LOOPS, PATH, body_of, drained, hosted, publication
from tests.support_tls import Authority

from trinco.core.hosting import Change
from trinco.core.names import Domain
from trinco.edge.limits import Limits
from trinco.edge.sni import Table

UM, WAITING = "um.example", "espera.example"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def table(authority: Authority) -> Table:
    return Table(publication(hosted(authority, UM), hosted(authority, WAITING, policy=None)))


@pytest.fixture(scope="module", params=LOOPS)
def front(table, request):
    with fronted(table, loop=request.param) as front:
        yield front


def status(answer: bytes) -> int:
    return int(answer.split(b" ")[1])


class TestPolicies:
    """What the policy host says over TLS, it says here without."""

    @pytest.mark.parametrize("host", [f"mta-sts.{UM}", f"MTA-STS.{UM.upper()}", f"mta-sts.{UM}.", f"mta-sts.{UM}:443"])
    def test_the_policy(self, front: Front, host):
        head, _, body = front.say(get(host, PATH)).partition(b"\r\n\r\n")
        assert (status(head), body) == (200, body_of(UM))
        assert {b"Content-Type: text/plain", b"Cache-Control: no-store", b"Connection: close"} < set(
            head.split(b"\r\n")
        )

    @pytest.mark.parametrize(
        ("host", "path", "wanted"),
        [
            (f"mta-sts.{WAITING}", PATH, 404),
            ("mta-sts.outro.example", PATH, 404),
            (UM, PATH, 404),
            ("127.0.0.1:8081", PATH, 404),
            (f"mta-sts.{UM}", "/", 404),
            (f"mta-sts.{UM}", f"{PATH}?x", 404),
            (f"mta-sts.{UM}", f"/ask?domain=mta-sts.{UM}", 404),
        ],
    )
    def test_nothing_else(self, front: Front, host, path, wanted):
        answer = front.say(get(host, path))
        assert (status(answer), b"ocation" in answer) == (wanted, False)

    def test_another_method(self, front: Front):
        assert status(front.say(get(f"mta-sts.{UM}", PATH, method="POST"))) == 405

    @pytest.mark.parametrize("field", ["X-Forwarded-Host: mta-sts.um.example", "Forwarded: host=mta-sts.um.example"])
    def test_forwarding_headers_say_nothing(self, front: Front, field):
        assert status(front.say(get("mta-sts.outro.example", PATH, field))) == 404

    def test_a_change_counts_at_once(self, authority):
        table = Table(publication(hosted(authority, UM)))
        with fronted(table) as front:
            body = body_of(UM, "enforce")
            change = Change(2, publication().zone, (hosted(authority, UM, policy=body, revision=2),))
            front.do(table.apply, change)
            assert front.say(get(f"mta-sts.{UM}", PATH)).endswith(body)


class TestFence:
    """RFC 8461 section 8.1: an edge that may be behind hands no policy out."""

    def test_503_until_the_fence_is_open(self, table):
        open_ = list[bool]()
        with fronted(table, admit=lambda: bool(open_)) as front:
            answer = front.say(get(f"mta-sts.{UM}", PATH))
            assert (status(answer), body_of(UM) in answer) == (503, False)
            assert status(front.ask(f"mta-sts.{UM}")) == 200
            open_.append(True)
            assert status(front.say(get(f"mta-sts.{UM}", PATH))) == 200


class TestAsk:
    """A front gets a certificate for a name that is served, and for no other."""

    @pytest.mark.parametrize("domain", [f"mta-sts.{UM}", f"MTA-STS.{UM}", f"mta-sts.{UM}.", "mta-sts%2eum.example"])
    def test_a_policy_host(self, front: Front, domain):
        assert status(front.ask(domain)) == 200

    @pytest.mark.parametrize(
        "query",
        [
            "",
            "?",
            "?domain=",
            f"?domain={UM}",
            f"?domain=mta-sts.{WAITING}",
            "?domain=mta-sts.outro.example",
            "?domain=reports.trinco.example",
            f"?domain=x.mta-sts.{UM}",
            f"?domain=mta-sts.{UM}&domain=mta-sts.outro.example",
            f"?name=mta-sts.{UM}",
            "?domain=%ff%fe",
            "?domain=mta-sts.%C3%BAm.example",
            f"?domain=mta-sts.{UM}%0a",
            "?" + "&".join(["a=b"] * 9) + f"&domain=mta-sts.{UM}",
            "?domain=" + "a" * 1900,
        ],
    )
    def test_no_other(self, front: Front, query):
        assert status(front.say(get("127.0.0.1", f"/ask{query}"))) == 404

    def test_no_other_method_and_path(self, front: Front):
        query = f"?domain=mta-sts.{UM}"
        assert status(front.say(get("127.0.0.1", f"/ask{query}", method="DELETE"))) == 404
        assert status(front.say(get("127.0.0.1", f"/asks{query}"))) == 404

    def test_a_name_that_goes(self, authority):
        table = Table(publication(hosted(authority, UM)))
        with fronted(table) as front:
            label = hosted(authority, UM, domain=Domain.trusted(UM)).label
            assert status(front.ask(f"mta-sts.{UM}")) == 200
            front.do(table.apply, Change(2, publication().zone, (), (label,)))
            assert status(front.ask(f"mta-sts.{UM}")) == 404


class TestHostile:
    @pytest.mark.parametrize(
        ("octets", "wanted"),
        [
            (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\n", 400),
            (b"GET / HTTP/1.1\r\n\r\n", 400),
            (f"GET {PATH} HTTP/1.1\r\nHost: mta-sts.{UM}\r\nHost: mta-sts.x.example\r\n\r\n".encode(), 400),
            (f"PUT {PATH} HTTP/1.1\r\nHost: mta-sts.{UM}\r\nContent-Length: 2\r\n\r\nxx".encode(), 413),
            (b"GET /ask?domain=" + b"a" * 20_000, 414),
            (b"GET /ask?domain=x HTTP/1.0\r\n\r\n", 404),
        ],
    )
    def test_what_is_no_request(self, front: Front, octets, wanted):
        assert status(front.say(octets)) == wanted

    def test_silent_ones_are_gone(self, table):
        limits, said = Limits(header=0.5, closing=0.5), list[bytes]()
        with HeldClock().instead() as held, fronted(table, limits=limits) as front:
            silent = Thread(target=lambda: said.append(front.say(b"GET")))
            silent.start()
            assert held.until(lambda: not silent.is_alive(), 0.0625) >= 0.5
        assert said == [b""]

    def test_a_crowd_of_questions_keeps_nobody_out(self, table):
        """Strangers' handshakes are a front's questions: the newcomer gets in, and whoever waits longest goes."""
        with fronted(table, limits=Limits(connections=8, per_address=8)) as front, ExitStack() as crowd:
            silent = [crowd.enter_context(front.asking()) for _ in range(24)]
            assert status(front.ask(f"mta-sts.{UM}")) == 200
            assert status(front.say(get(f"mta-sts.{UM}", PATH))) == 200
            assert [status(front.ask(f"mta-sts.x{number}.example")) for number in range(500)] == [404] * 500
            assert status(front.ask(f"mta-sts.{UM}")) == 200
            assert drained(silent[0]) == b""
            assert front.faults == []
