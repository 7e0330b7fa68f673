"""Three names are written, and nothing that stands there is lost without a word: at Knot, and at a provider's interface."""

from __future__ import annotations

import logging
from ipaddress import ip_network

import pytest
from tests import support_dnsapi
from tests.support_dnsapi import SECRET, TOKEN

from trinco.net import dnsapi, dnsupdate
from trinco.net.dnswriting import Found, Place, State, Trouble, Wanted, WritingFailed, look, mark, write
from trinco.net.guard import Guard

NEAR = Guard((ip_network("127.0.0.0/8"),))
ZONE = "correio.example"
WANTED = tuple(
    Wanted(f"{name}.{ZONE}", f"l1.{part}.trinco.example")
    for name, part in (("mta-sts", "policy"), ("_mta-sts", "mta-sts"), ("_smtp._tls", "tlsrpt"))
)
OLD = "mta-sts CNAME l1.policy.trinco.example.\n" + '_mta-sts TXT "v=STSv1; id=1"\n_mta-sts TXT "other"\n'
OLD += 'taken A 192.0.2.9\ntaken CAA 0 issue "ca.example"\ntaken SSHFP 1 1 ' + "ab" * 20 + "\n"
OLD += "taken LOC 38 0 0 N 9 0 0 W 10m\nrare A 192.0.2.9\nrare HINFO PC none\n*.wild A 192.0.2.9\n"
TAKEN = Wanted(f"taken.{ZONE}", "l1.policy.trinco.example")


def states(places):
    return [place.state for place in places]


class TestPlace:
    @pytest.mark.parametrize(
        ("found", "state"),
        [
            ((), State.FREE),
            ((Found("CNAME", "L1.policy.trinco.example."),), State.RIGHT),
            ((Found("CNAME", "other.example."),), State.TAKEN),
            ((Found("CNAME", "l1.policy.trinco.example"), Found("A", "192.0.2.1")), State.TAKEN),
        ],
    )
    def test_what_stands_there(self, found, state):
        assert Place(WANTED[0], found).state is state

    def test_a_mark_is_of_exactly_what_is_in_the_way(self):
        taken = Place(WANTED[1], (Found("TXT", "a"), Found("TXT", "b")))
        assert mark([Place(WANTED[0], ()), Place(WANTED[2], (Found("CNAME", WANTED[2].target),))]) == ""
        assert mark([taken]) == mark([Place(WANTED[1], taken.found[::-1])]) != mark([Place(WANTED[1], taken.found[:1])])


class TestKnot:
    """RFC 2136 section 2.4: what an update expects is checked by the server, in the same step."""

    @pytest.fixture
    def knot(self, tmp_path):
        with support_dnsapi.knot(ZONE, tmp_path, OLD) as server:
            yield server

    def test_what_is_missing_is_written_and_the_rest_is_left_alone(self, knot):
        with dnsupdate.book(ZONE, knot.credentials, NEAR) as book:
            places = write(book, WANTED)
        assert states(places) == [State.RIGHT, State.TAKEN, State.RIGHT]
        assert knot.at(f"_smtp._tls.{ZONE}", "CNAME") == ["l1.tlsrpt.trinco.example."]
        assert sorted(knot.at(f"_mta-sts.{ZONE}", "TXT")) == ['"other"', '"v=STSv1; id=1"']

    def test_what_was_confirmed_is_replaced(self, knot):
        with dnsupdate.book(ZONE, knot.credentials, NEAR) as book:
            assert states(write(book, WANTED, "of something else")) == [State.RIGHT, State.TAKEN, State.RIGHT]
            assert states(write(book, WANTED, mark(look(book, WANTED)))) == [State.RIGHT] * 3
        assert knot.at(f"_mta-sts.{ZONE}", "TXT") == ["l1.mta-sts.trinco.example."]

    def test_what_came_in_between_is_not_overwritten(self, knot):
        with dnsupdate.book(ZONE, knot.credentials, NEAR) as book:
            before = book.at(WANTED[1].name)
            book.put(WANTED[2], ())
            with pytest.raises(WritingFailed, match="YXDOMAIN"):
                book.put(Wanted(WANTED[2].name, "elsewhere.example"), ())
            with pytest.raises(WritingFailed, match="NXRRSET"):
                book.put(WANTED[1], before[:1])
        assert knot.at(WANTED[2].name, "CNAME") == ["l1.tlsrpt.trinco.example."]

    def test_what_is_replaced_is_shown_first_whatever_it_is(self, knot):
        with dnsupdate.book(ZONE, knot.credentials, NEAR) as book:
            held = [place.found for place in look(book, [TAKEN])]
            assert [sorted(each.rdtype for each in found) for found in held] == [["A", "CAA", "LOC", "SSHFP"]]
            assert states(write(book, [TAKEN], mark(look(book, [TAKEN])))) == [State.RIGHT]

    def test_what_was_not_shown_is_not_deleted(self, knot):
        with dnsupdate.book(ZONE, knot.credentials, NEAR) as book:
            before = book.at(TAKEN.name)
            with pytest.raises(WritingFailed, match="YXRRSET"):
                book.put(TAKEN, [each for each in before if each.rdtype != "CAA"])
            rare = Wanted(f"rare.{ZONE}", TAKEN.target)
            with pytest.raises(WritingFailed, match="YXRRSET"):
                book.put(rare, book.at(rare.name))
            assert book.at(TAKEN.name) == before
        assert knot.at(rare.name, "A") == ["192.0.2.9"]

    def test_beside_a_wildcard_a_name_is_free(self, knot):
        free = Wanted(f"mta-sts.wild.{ZONE}", TAKEN.target)
        with dnsupdate.book(ZONE, knot.credentials, NEAR) as book:
            assert states(look(book, [free])) == [State.FREE]
            assert states(write(book, [free])) == [State.RIGHT]
        assert knot.at(f"other.wild.{ZONE}", "A") == ["192.0.2.9"]

    @pytest.mark.parametrize(
        ("change", "trouble"),
        [
            ({"key_secret": SECRET[::-1].strip("=") + "A="}, Trouble.CREDENTIALS),
            ({"key_secret": "?"}, Trouble.CREDENTIALS),
            ({"key_algorithm": "rot13"}, Trouble.CREDENTIALS),
            ({"key_name": "nobody"}, Trouble.CREDENTIALS),
            ({"server": "127.0.0.1:65534"}, Trouble.SILENCE),
            ({"server": "127.0.0.1:25"}, Trouble.ADDRESS),
            ({"server": "127.0.0.1#65536"}, Trouble.ADDRESS),
            ({"server": ""}, Trouble.ADDRESS),
            ({"server": "localhost"}, Trouble.ADDRESS),
            ({"server": "127.0.0.1#x"}, Trouble.ADDRESS),
        ],
    )
    def test_trouble(self, knot, change, trouble):
        with (
            pytest.raises(WritingFailed) as failed,
            dnsupdate.book(ZONE, {**knot.credentials, **change}, NEAR) as book,
        ):
            write(book, WANTED)
        assert failed.value.trouble is trouble
        assert SECRET not in str(failed.value)

    def test_one_that_is_slow_with_each_answer_does_not_keep_us_for_long(self, knot, monkeypatch):
        monkeypatch.setattr(dnsupdate, "_CONVERSATION", 0.0)
        with (
            dnsupdate.book(ZONE, knot.credentials, NEAR) as book,
            pytest.raises(WritingFailed, match="too long in all"),
        ):
            write(book, WANTED)

    def test_another_s_zone(self, knot):
        with dnsupdate.book("outro.example", knot.credentials, NEAR) as book, pytest.raises(WritingFailed) as failed:
            write(book, [Wanted("mta-sts.outro.example", "l1.policy.trinco.example")])
        assert failed.value.trouble is Trouble.CREDENTIALS

    def test_the_guard(self, knot):
        with pytest.raises(WritingFailed) as failed, dnsupdate.book(ZONE, knot.credentials, Guard()):
            pass
        assert failed.value.trouble is Trouble.ADDRESS


class TestProvider:
    """The interface of a provider, by dns-lexicon."""

    @pytest.fixture
    def fake(self, monkeypatch):
        with support_dnsapi.cloudflare_at(ZONE, monkeypatch) as server:
            server.add("TXT", f"_mta-sts.{ZONE}", "v=STSv1; id=1;")
            server.add("MX", ZONE, "mx1.correio.example")
            server.add("A", f"mta-sts.www.{ZONE}", "192.0.2.1")
            yield server

    def written(self, confirmed="", guard=NEAR, **credentials):
        with dnsapi.book("cloudflare", ZONE, credentials or {"auth_token": TOKEN}, guard) as book:
            return write(book, WANTED, confirmed)

    def test_what_is_missing_is_written_and_the_rest_is_left_alone(self, fake):
        before = fake.held()
        assert states(self.written()) == [State.RIGHT, State.TAKEN, State.RIGHT]
        assert fake.held() - before == {("CNAME", each.name, each.target) for each in (WANTED[0], WANTED[2])}
        assert before - fake.held() == set()

    def test_what_was_confirmed_is_replaced(self, fake):
        assert states(self.written(mark(self.written()))) == [State.RIGHT] * 3
        assert fake.held() == {
            *(("CNAME", each.name, each.target) for each in WANTED),
            ("MX", ZONE, "mx1.correio.example"),
            ("A", f"mta-sts.www.{ZONE}", "192.0.2.1"),
        }

    def test_twice_changes_nothing(self, fake):
        self.written(mark(self.written()))
        fake.calls.clear()
        self.written("whatever")
        assert {method for method, _ in fake.calls} == {"GET"}

    def test_wrong_credentials_come_back_in_the_provider_s_words_without_them(self, fake, caplog):
        caplog.set_level(logging.DEBUG)
        with pytest.raises(WritingFailed) as failed:
            self.written(auth_token="s3cret/of+mine")
        assert (failed.value.trouble, failed.value.said) == (Trouble.CREDENTIALS, "HTTP 403 Bearer … is not valid")
        assert "s3cret" not in caplog.text + repr(failed.value) + repr(failed.value.__cause__)

    def test_a_zone_that_is_not_there(self, fake):
        fake.zone = "outro.example"
        with pytest.raises(WritingFailed) as failed:
            self.written()
        assert (failed.value.trouble, failed.value.said) == (Trouble.CREDENTIALS, "No domain found")

    def test_the_guard(self, fake):
        with pytest.raises(WritingFailed) as failed:
            self.written(guard=Guard())
        assert failed.value.trouble is Trouble.ADDRESS
        assert fake.calls == []

    def test_nobody_there(self, fake, monkeypatch):
        fake.port = 1
        with pytest.raises(WritingFailed) as failed:
            self.written()
        assert failed.value.trouble is Trouble.SILENCE

    def test_an_answer_that_is_none(self, fake, monkeypatch):
        monkeypatch.setattr(fake, "answer", lambda *_: (200, []))
        with pytest.raises(WritingFailed) as failed:
            self.written()
        assert failed.value.trouble is Trouble.ANSWER

    def test_a_file_of_ours_is_not_read(self, fake):
        with pytest.raises(WritingFailed) as failed:
            self.written(auth_token=" FILE::/etc/hostname")
        assert (failed.value.trouble, fake.calls) == (Trouble.CREDENTIALS, [])


class TestProviders:
    def test_those_that_the_pages_name_are_there(self):
        assert {"cloudflare", "desec", "digitalocean", "gandi", "godaddy", "hetzner", "ionos", "ovh"} <= set(
            dnsapi.providers()
        )
        assert dnsapi.providers()["cloudflare"] == ("auth_username", "auth_token", "zone_id")

    def test_none_lets_a_stranger_name_a_server_or_a_file(self):
        suspicious = ("server", "host", "endpoint", "entrypoint", "url", "file", "region")
        fields = {f"{name} {each}" for name, known in dnsapi.providers().items() for each in known}
        named = {each for each in fields if any(word in each.partition(" ")[2] for word in suspicious)}
        assert named == {"ovh auth_entrypoint"}  # a key into a table of the library

    def test_without_the_library_there_are_none(self, monkeypatch):
        dnsapi.providers.cache_clear()
        monkeypatch.setattr(dnsapi.importlib.util, "find_spec", lambda _name: None)
        assert dnsapi.providers() == {}
        dnsapi.providers.cache_clear()

    def test_the_environment_is_not_read(self, monkeypatch):
        monkeypatch.setenv("LEXICON_CLOUDFLARE_AUTH_TOKEN", "of the installation")
        made = dnsapi._there("cloudflare", ZONE, {"auth_username": "ana"})
        assert (made._get_provider_option("auth_token"), made._get_provider_option("auth_username")) == (None, "ana")
