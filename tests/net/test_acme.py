"""Conversations with a scripted authority over HTTP: every answer that RFC 8555 and RFC 9773 know, and some others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.fake_ca.authority import DAY, HOUR, START, Authority, Clock, Habits
from tests.fake_ca.server import Server, serving

from trinco.net import acme
from trinco.net.acme_words import (
    AcmeFailure,
    Binding,
    CaRefused,
    CaUnavailable,
    Offer,
    Place,
    Placed,
    RateLimited,
    Registration,
    Status,
)

NAME = "mta-sts.correio.example"
WHO = Registration(("mailto:ana@example.com",), True)
PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def server(clock) -> Iterator[Server]:
    with serving(Authority(clock)) as server:
        yield server


@pytest.fixture
def talk(server, clock) -> acme.Conversation:
    """A conversation whose account is there."""
    talk = acme.Conversation(Place(server.directory), acme.new_key(), clock)
    talk.register(WHO)
    return talk


def request(*names: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(alternatives, critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def obtained(talk: acme.Conversation, *names: str, **options: str) -> tuple[bytes, ...]:
    placed = talk.order(names, **options)
    for authorization in placed.authorizations:
        talk.tell(talk.challenge(authorization))
    placed = talk.finalize(talk.look(placed.url), request(*names))
    return talk.download(placed.certificate)


def _road(talk: acme.Conversation) -> None:
    talk.register(WHO)
    talk.order([NAME])


def problem(kind: str, detail: str = "no") -> bytes:
    return json.dumps({"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}).encode()


class TestRoad:
    """From an account to a certificate (RFC 8555 section 7)."""

    def test_all_of_it(self, talk, server):
        leaf, root = obtained(talk, NAME, "mx.example.net")
        names = x509.load_der_x509_certificate(leaf).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        assert names.value.get_values_for_type(x509.DNSName) == [NAME, "mx.example.net"]
        assert root == server.authority.root.public_bytes(serialization.Encoding.DER)
        assert server.agents == {"trinco"}

    def test_what_is_offered(self, server, clock):
        server.authority.habits = Habits(lives={"": DAY, "shortlived": DAY}, binding_required=True)
        talk = acme.Conversation(Place(server.directory), acme.new_key(), clock)
        assert talk.offer() == Offer(frozenset({"shortlived"}), True, "https://ca.example/terms", True)

    def test_an_account_is_found_again_by_its_key(self, server, clock):
        key = acme.new_key()
        talks = [acme.Conversation(Place(server.directory), key, clock) for _ in range(2)]
        assert talks[0].register(WHO) == talks[1].register(WHO) == f"{server.url}/account/account-1"

    def test_an_account_that_is_known_needs_no_registration(self, server, clock):
        key = acme.new_key()
        account = acme.Conversation(Place(server.directory), key, clock).register(WHO)
        talk = acme.Conversation(Place(server.directory), key, clock)
        talk.use(account)
        assert talk.order([NAME]).status is Status.PENDING

    def test_what_an_account_says(self, server, clock):
        talk = acme.Conversation(Place(server.directory), acme.new_key(), clock)
        talk.register(Registration(WHO.contact, True, Binding("kid-1", "c2VjcmV0")))
        said = server.said[0][1]
        binding = said.pop("externalAccountBinding")
        assert said == {"contact": ["mailto:ana@example.com"], "termsOfServiceAgreed": True}
        assert set(binding) == {"protected", "payload", "signature"}

    def test_an_order(self, talk, server):
        placed = talk.order([NAME], replaces="x.y")
        assert server.said[-1] == ("/order", {"identifiers": [{"type": "dns", "value": NAME}], "replaces": "x.y"})
        assert placed == Placed(
            url=f"{server.url}/look/0",
            status=Status.PENDING,
            finalize=f"{server.url}/finalize/0",
            authorizations=(f"{server.url}/authz/0/{NAME}",),
        )
        assert talk.look(placed.url) == placed

    def test_a_challenge_is_of_http_and_told_once(self, talk):
        placed = talk.order([NAME])
        challenge = talk.challenge(placed.authorizations[0])
        assert (challenge.host, challenge.waits, challenge.problem) == (NAME, True, "")
        talk.tell(challenge)
        assert not talk.challenge(placed.authorizations[0]).waits

    def test_why_a_name_could_not_be_proven(self, talk, server):
        server.authority.prove = lambda host, _token, _print: f"{host}: refused"
        placed = talk.order([NAME])
        talk.tell(talk.challenge(placed.authorizations[0]))
        placed = talk.look(placed.url)
        assert (placed.status, placed.problem) == (Status.INVALID, f"{NAME}: refused")
        assert talk.challenge(placed.authorizations[0]).problem == f"{NAME}: refused"

    def test_the_answer_to_challenges_is_of_the_key_alone(self, server, clock):
        key, seen = acme.new_key(), []
        server.authority.prove = lambda *facts: seen.append(facts) or ""
        talk = acme.Conversation(Place(server.directory), key, clock)
        talk.register(WHO)
        obtained(talk, NAME)
        assert [each[2] for each in seen] == [acme.thumbprint(key)]

    @pytest.mark.parametrize("count", [1, 3])
    def test_open_orders_are_found_in_the_list(self, talk, server, count):
        server.authority.habits = Habits(reuses=False)
        urls = [talk.order([f"mta-sts.d{number}.example"]).url for number in range(count)]
        found = list(talk.open_orders({urls[0]}))
        assert [placed.url for placed, _ in found] == urls[1:]
        assert [names for _, names in found] == [{f"mta-sts.d{number}.example"} for number in range(1, count)]

    def test_where_there_is_no_list_nothing_is_found(self, talk):
        talk.order([NAME])
        assert list(talk.open_orders(())) == []


class TestRenewalInformation:
    """RFC 9773."""

    def test_the_window(self, talk, clock, server):
        leaf, _ = obtained(talk, NAME)
        window = talk.window(leaf)
        assert (window.start, window.end) == server.authority.window(acme.certificate_id(leaf))
        assert window.retry_at == clock() + 6 * HOUR

    def test_where_there_is_none(self, talk, server, clock):
        leaf, _ = obtained(talk, NAME)
        server.authority.habits = Habits(renewal_info=False)
        assert acme.Conversation(Place(server.directory), acme.new_key(), clock).window(leaf) is None

    def test_a_certificate_is_replaced_once(self, talk, server):
        leaf, _ = obtained(talk, NAME)
        name = acme.certificate_id(leaf)
        obtained(talk, NAME, replaces=name)
        with pytest.raises(CaRefused) as refused:
            talk.order([NAME], replaces=name)
        assert refused.value.kind == "alreadyReplaced"

    def test_a_certificate_that_the_authority_does_not_know(self, talk, clock):
        other = Authority(clock)
        with serving(other) as elsewhere:
            theirs = acme.Conversation(Place(elsewhere.directory), acme.new_key(), clock)
            theirs.register(WHO)
            leaf, _ = obtained(theirs, NAME)
        with pytest.raises(CaRefused, match="no such certificate"):
            talk.window(leaf)

    @pytest.mark.parametrize(("start", "end"), [("2027-02-01T00:00:00Z", "2027-01-01T00:00:00Z"), ("soon", "later")])
    def test_a_window_that_is_none(self, talk, server, start, end):
        leaf, _ = obtained(talk, NAME)
        answer = json.dumps({"suggestedWindow": {"start": start, "end": end}}).encode()
        server.script[f"/ari/{acme.certificate_id(leaf)}"] = [(200, {"Content-Type": "application/json"}, answer)]
        with pytest.raises(CaUnavailable, match="did not answer as RFC 8555 says"):
            talk.window(leaf)

    def test_the_id_of_the_standards_example(self):
        """RFC 9773 section 4.1: key identifier and serial in base 64 for URLs, the serial with its sign."""
        key = ec.generate_private_key(ec.SECP256R1())
        above = x509.AuthorityKeyIdentifier(bytes.fromhex("69885b6b87464041e1b37b847bd0ae2cde01c8d4"), None, None)
        builder = x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(x509.Name([]))
        builder = builder.public_key(key.public_key()).serial_number(0x0087654321)
        builder = builder.not_valid_before(START).not_valid_after(START + DAY).add_extension(above, critical=False)
        leaf = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
        assert acme.certificate_id(leaf) == "aYhba4dGQEHhs3uEe9CuLN4ByNQ.AIdlQyE"


class TestNonces:
    """RFC 8555 section 6.5: a nonce that is refused is replaced, and the request sent again."""

    @pytest.mark.parametrize("count", [1, 2, 5, 20])
    def test_as_often_as_it_takes(self, talk, server, count):
        server.bad_nonces = count
        assert talk.order([NAME]).status is Status.PENDING
        assert len(server.authority.orders) == 1

    def test_but_not_for_ever(self, talk, server):
        server.bad_nonces = 10_000
        with pytest.raises(CaUnavailable, match="a bad nonce"):
            talk.order([NAME])


class TestRefusals:
    """Whatever goes wrong is an AcmeFailure that says what to do: later, never, or at a moment."""

    def test_a_limit_says_from_when_on(self, talk, server, clock):
        server.authority.habits = Habits(new_orders=0)
        server.script["/order"] = [(429, {**PROBLEM, "Retry-After": "3600"}, problem("rateLimited", "too many"))]
        with pytest.raises(RateLimited, match="too many") as limited:
            talk.order([NAME])
        assert limited.value.retry_at == clock() + HOUR

    def test_a_moment_may_be_a_date(self, talk, server):
        moment = {"Retry-After": "Fri, 01 Jan 2027 05:00:00 GMT"}
        server.script["/order"] = [(429, {**PROBLEM, **moment}, problem("rateLimited"))]
        with pytest.raises(RateLimited) as limited:
            talk.order([NAME])
        assert limited.value.retry_at == START + 5 * HOUR

    def test_a_refusal_has_its_kind_and_its_words(self, talk, server):
        document = {
            "type": "urn:ietf:params:acme:error:rejectedIdentifier",
            "detail": "policy forbids",
            "subproblems": [{"type": "urn:ietf:params:acme:error:caa", "detail": "CAA of example forbids"}],
        }
        server.script["/order"] = [(403, PROBLEM, json.dumps(document).encode())]
        with pytest.raises(CaRefused, match=r"^policy forbids; CAA of example forbids$") as refused:
            talk.order([NAME])
        assert refused.value.kind == "rejectedIdentifier"

    @pytest.mark.parametrize(
        "answer",
        [
            (503, {**PROBLEM, "Retry-After": "120"}, problem("serverInternal", "busy")),
            (503, {"Content-Type": "text/html", "Retry-After": "120"}, b"<h1>busy</h1>"),
            (500, PROBLEM, problem("malformed", "in our own house")),
            (502, {}, b""),
        ],
    )
    def test_a_server_that_is_broken_is_away(self, talk, server, answer, clock):
        server.script["/order"] = [answer]
        with pytest.raises(CaUnavailable) as away:
            talk.order([NAME])
        assert away.value.retry_at == (clock() + timedelta(minutes=2) if "Retry-After" in answer[1] else None)

    @pytest.mark.parametrize(
        "body",
        [b"", b"null", b"[]", b"{", b"7", b'{"status": "odd"}', b'{"status": 5}', b"[" * 100_000, b"\xff\xfe"],
    )
    @pytest.mark.parametrize("path", ["/dir", "/order", "/account"])
    def test_an_answer_of_another_form(self, server, clock, body, path):
        talk = acme.Conversation(Place(server.directory), acme.new_key(), clock)
        server.script[path] = [(200, {"Content-Type": "application/json"}, body)] * 3
        with pytest.raises(AcmeFailure):
            _road(talk)

    def test_nobody_answers(self, clock):
        talk = acme.Conversation(Place("http://127.0.0.1:1/dir"), acme.new_key(), clock)
        with pytest.raises(CaUnavailable, match=r"cannot be reached: .*refused"):
            talk.offer()

    @pytest.mark.parametrize("directory", ["https://[/dir", "https:///dir", "https://a..b/dir", "nonsense"])
    def test_a_directory_that_is_no_url(self, directory, clock):
        with pytest.raises(AcmeFailure):
            acme.Conversation(Place(directory), acme.new_key(), clock).offer()

    def test_an_order_that_is_gone(self, talk, server):
        with pytest.raises(CaRefused, match="no such order"):
            talk.look(f"{server.url}/look/99")

    def test_a_chain_that_is_none(self, talk, server):
        server.script["/cert/0"] = [(200, {"Content-Type": "application/pem-certificate-chain"}, b"nothing")]
        with pytest.raises(CaUnavailable):
            talk.download(f"{server.url}/cert/0")


class TestClock:
    def test_how_far_ahead_the_authority_is(self, talk, server, clock):
        assert talk.skew == timedelta()
        server.authority.clock = Clock(clock() + 2 * DAY)
        talk.order([NAME])
        assert talk.skew == 2 * DAY
