"""One text of a name is kept up to date, and everything else at the name stays: at Knot, and at a provider's interface."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from tests import support_dnsapi
from tests.support_dnsapi import TOKEN

from trinco.net import dnsapi, dnsbooks, dnsupdate
from trinco.net.dnsbooks import Access
from trinco.net.dnstexts import TTL, TextPlace, TextState, WantedText, keep, look, plain, strings
from trinco.net.dnswriting import Found, Trouble, WritingFailed
from trinco.net.guard import Guard

NEAR = Guard((ip_network("127.0.0.0/8"),))
ZONE = "correio.example"
NAME = f"_mta-sts.{ZONE}"
TARGET = "l1.mta-sts.trinco.example"
TEXT = "v=STSv1; id=20261124T100000Z0a1b2c3d;"
WANTED = WantedText(NAME, TEXT, "v=STSv1", TARGET)
OTHERS = '_mta-sts TXT "other=1" " v=STSv1; id=no;"\n_mta-sts TXT "v=STSv1; id=1;"\n_mta-sts AAAA 2001:db8::1\n'


class TestPlace:
    @pytest.mark.parametrize(
        ("found", "state"),
        [
            ((), TextState.FREE),
            ((Found("TXT", f'"{TEXT}"'),), TextState.RIGHT),
            ((Found("TXT", TEXT), Found("TXT", "other")), TextState.RIGHT),
            ((Found("TXT", '"v=STSv1; " "id=1;"'),), TextState.STALE),
            ((Found("TXT", TEXT), Found("TXT", "v=STSv1; id=1;")), TextState.STALE),
            ((Found("TXT", "other"), Found("A", "192.0.2.1")), TextState.FREE),
            ((Found("CNAME", f"{TARGET.upper()}."),), TextState.RIGHT),
            ((Found("CNAME", "other.example."),), TextState.TAKEN),
        ],
    )
    def test_what_stands_there(self, found, state):
        assert TextPlace(WANTED, found).state is state

    def test_one_that_is_not_ours_to_replace(self):
        wanted = WantedText(NAME, TEXT, "v=STSv1", TARGET, lambda text: "id=1" not in text)
        assert TextPlace(wanted, (Found("TXT", "v=STSv1; id=1;"),)).state is TextState.TAKEN

    @pytest.mark.parametrize(
        ("found", "state"),
        [
            ((), TextState.RIGHT),
            ((Found("TXT", "other"), Found("CNAME", "other.example.")), TextState.RIGHT),
            ((Found("TXT", "v=STSv1; id=2;"),), TextState.STALE),
            ((Found("TXT", "v=STSv1; id=2;"), Found("TXT", "v=STSv1; id=1;")), TextState.RIGHT),
        ],
    )
    def test_where_none_is_wanted_ours_alone_goes(self, found, state):
        assert TextPlace(WantedText(NAME, "", "v=STSv1", TARGET, lambda text: "id=1" not in text), found).state is state

    @pytest.mark.parametrize(
        ("content", "text"),
        [("a b", "a b"), ('"a" "b"', "ab"), (r'"a\;\"b"', 'a;"b'), ("", ""), ('"', "")],
    )
    def test_quoted_or_not(self, content, text):
        assert plain(content) == text

    def test_long_ones_are_cut_into_strings(self):
        assert plain(strings("x" * 300)) == "x" * 300
        assert len(strings("x" * 300).split()) == 2


class TestKnot:
    """RFC 2136 section 2.4: what an update expects is checked by the server, in the same step."""

    @pytest.fixture
    def knot(self, tmp_path):
        with support_dnsapi.knot(ZONE, tmp_path, OTHERS + 'free TXT "x"\n') as server:
            yield server

    def access(self, knot):
        return Access(dnsupdate.NAME, knot.credentials)

    def test_the_old_one_alone_is_replaced(self, knot):
        with dnsbooks.book(ZONE, self.access(knot), NEAR) as book:
            assert [place.state for place in look(book, [WANTED])] == [TextState.STALE]
            assert [place.state for place in keep(book, [WANTED])] == [TextState.RIGHT]
        assert sorted(knot.at(NAME, "TXT")) == ['"other=1" " v=STSv1; id=no;"', f'"{TEXT}"']
        assert knot.at(NAME, "AAAA") == ["2001:db8::1"]

    def test_where_there_is_none_it_is_added(self, knot):
        wanted = [WantedText(f"{name}.{ZONE}", TEXT, "v=STSv1", TARGET) for name in ("free", "nothing")]
        with dnsbooks.book(ZONE, self.access(knot), NEAR) as book:
            assert [place.state for place in keep(book, wanted)] == [TextState.RIGHT] * 2
        assert sorted(knot.at(f"free.{ZONE}", "TXT")) == [f'"{TEXT}"', '"x"']

    def test_where_none_is_wanted_the_others_stay(self, knot):
        with dnsbooks.book(ZONE, self.access(knot), NEAR) as book:
            assert [place.state for place in keep(book, [WantedText(NAME, "", "v=STSv1", TARGET)])] == [TextState.RIGHT]
        assert knot.at(NAME, "TXT") == ['"other=1" " v=STSv1; id=no;"']

    def test_what_came_in_between_is_not_overwritten(self, knot):
        """A late hand: the server has another text than was seen."""
        with dnsbooks.book(ZONE, self.access(knot), NEAR) as book:
            [late] = look(book, [WantedText(NAME, TEXT.replace("10", "09"), "v=STSv1", TARGET)])
            keep(book, [WANTED])
            with pytest.raises(WritingFailed, match="NXRRSET"):
                book.say(late)
        assert f'"{TEXT}"' in knot.at(NAME, "TXT")


class TestProvider:
    @pytest.fixture
    def fake(self, monkeypatch):
        with support_dnsapi.cloudflare_at(ZONE, monkeypatch) as server:
            server.add("TXT", NAME, "other=1")
            yield server

    def kept(self, token=TOKEN):
        with dnsapi.book("cloudflare", ZONE, {"auth_token": token}, NEAR) as book:
            return [place.state for place in keep(book, [WANTED])]

    def test_one_old_text_is_changed_in_one_step(self, fake):
        fake.add("TXT", NAME, "v=STSv1; id=1;")
        assert self.kept() == [TextState.RIGHT]
        assert fake.held() == {("TXT", NAME, "other=1"), ("TXT", NAME, TEXT)}
        assert [method for method, _path in fake.calls if method != "GET"] == ["PUT"]
        assert fake.records[1]["ttl"] == TTL

    def test_of_two_one_goes(self, fake):
        fake.add("TXT", NAME, "v=STSv1; id=1;")
        fake.add("TXT", NAME, "v=STSv1; id=2;")
        assert self.kept() == [TextState.RIGHT]
        assert fake.held() == {("TXT", NAME, "other=1"), ("TXT", NAME, TEXT)}

    def test_none_is_added_and_twice_changes_nothing(self, fake):
        assert self.kept() == [TextState.RIGHT]
        fake.calls.clear()
        assert self.kept() == [TextState.RIGHT]
        assert {method for method, _path in fake.calls} == {"GET"}

    def test_a_cname_to_somewhere_else_stays(self, fake):
        fake.records.clear()
        fake.add("CNAME", NAME, "other.example")
        assert self.kept() == [TextState.TAKEN]
        assert fake.held() == {("CNAME", NAME, "other.example")}

    def test_wrong_credentials(self, fake):
        with pytest.raises(WritingFailed) as caught:
            self.kept("wrong")
        assert caught.value.trouble is Trouble.CREDENTIALS
