"""The secondaries of an edge: the settings, what they have, and that they follow."""

from __future__ import annotations

import asyncio
import base64
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import dns.rdatatype
import dns.tsig
import pytest
from msgspec.structs import replace
from tests.edge.publications import ZONE, change, publication

from trinco import config
from trinco.cli.secondaries import Following, latest
from trinco.config import ConfigError, TsigKey
from trinco.core.hosting import Publication
from trinco.edge import dnsd, peers
from trinco.edge.answers import Answers
from trinco.edge.serving import Serving
from trinco.edge.tsig import Keys

OCTETS = b"a secret of thirty-two octets..."
SECRET = base64.b64encode(OCTETS).decode()
KEY = TsigKey("trinco", "hmac-sha256", OCTETS)


def loaded(**variables: str) -> config.Config:
    return config.load({f"TRINCO_{name}": value for name, value in variables.items()})


class TestSettings:
    @pytest.mark.parametrize(
        ("text", "key"),
        [
            (f"trinco:{SECRET}", KEY),
            (f"Trinco.:{SECRET}", KEY),
            (f"hmac-sha256:trinco:{SECRET}", KEY),
            (f"HMAC-SHA512:xfr.trinco.example:{SECRET}", TsigKey("xfr.trinco.example", "hmac-sha512", OCTETS)),
        ],
    )
    def test_a_key(self, text, key):
        assert loaded(TSIG_KEY=text).tsig_key == key

    @pytest.mark.parametrize(
        "text",
        [
            "trinco",
            SECRET,
            "trinco:c2hvcnQ=",
            f"hmac-md5:trinco:{SECRET}",
            f"trinco:{SECRET[:-1]}",
            f":{SECRET}",
            f"a b:{SECRET}",
            f"a:b:c:{SECRET}",
            f"{'a' * 64}:{SECRET}",
        ],
    )
    def test_what_is_no_key(self, text):
        with pytest.raises(ConfigError, match="TRINCO_TSIG_KEY"):
            loaded(TSIG_KEY=text)

    def test_from_a_file(self, tmp_path):
        file = tmp_path / "key"
        file.write_text(f"trinco:{SECRET}\n")
        assert loaded(TSIG_KEY_FILE=str(file)).tsig_key == KEY

    def test_the_secret_is_not_shown(self):
        assert repr(KEY) == "TsigKey(name='trinco', algorithm='hmac-sha256')"

    def test_secondaries(self):
        settings = loaded(
            TSIG_KEY=f"trinco:{SECRET}", SECONDARIES="192.0.2.1 192.0.2.2:5353 2001:db8::1 [2001:db8::2]:54"
        )
        assert settings.secondaries == (
            *(("192.0.2.1", 53), ("192.0.2.2", 5353), ("2001:db8::1", 53), ("2001:db8::2", 54)),
        )

    def test_secondaries_want_a_key(self):
        with pytest.raises(ConfigError, match="TRINCO_TSIG_KEY: wants a key"):
            loaded(SECONDARIES="192.0.2.1")


def with_secondaries(*endpoints: tuple[str, int]) -> config.Config:
    words = " ".join(f"{address}:{port}" for address, port in endpoints)
    return loaded(TSIG_KEY=f"trinco:{SECRET}", SECONDARIES=words, DNS_LISTEN="127.0.0.1:0")


class TestLatest:
    """What a secondary has, the world has seen: asked with the key, so that nobody else answers for it."""

    def asked(self, revision: int, *serials: int, key: TsigKey | None = KEY) -> int:
        async def scenario() -> int:
            async with AsyncExitStack() as stack:
                servers = [await stack.enter_async_context(self.secondary(serial, key)) for serial in serials]
                return await latest(with_secondaries(*(bound[0] for bound in servers)), revision)

        return asyncio.run(scenario())

    def secondary(self, serial: int, key: TsigKey | None) -> AbstractAsyncContextManager[list[tuple[str, int]]]:
        answers = Answers(Publication(serial, ZONE))
        answers.keys = Keys(key) if key else None
        return dnsd.listen(answers, [("127.0.0.1", 0)])

    @pytest.mark.parametrize(
        ("revision", "serials", "found"),
        [
            (5, (), 5),
            (5, (5, 3), 5),
            (5, (7, 9, 8), 9),
            (0, (2026112401,), 2026112401),
            (2**32 + 5, (9,), 2**32 + 9),
            (2**32 - 2, (1,), 2**32 + 1),
            (5, (2**31 + 6,), 5),
        ],
    )
    def test_the_latest_that_is_later(self, revision, serials, found, monkeypatch):
        monkeypatch.setattr(peers, "PATIENCE", 60.0)
        assert self.asked(revision, *serials) == found

    def test_without_the_key_nobody_is_believed(self):
        assert self.asked(5, 9, key=TsigKey("trinco", "hmac-sha256", b"another secret, as long as ours.")) == 5
        assert self.asked(5, 9, key=None) == 5

    def test_nobody_there(self):
        assert asyncio.run(latest(with_secondaries(("127.0.0.1", 9)), 5)) == 5

    def test_no_secondaries(self):
        assert asyncio.run(latest(loaded(), 5)) == 5


class TestFollowing:
    def test_nothing_of_it_without_a_key(self):
        async def scenario() -> None:
            serving = Serving(publication(2))
            following = Following(loaded(), serving)
            async with following.told():
                assert (following.transfers, serving.told, serving.answers.keys) == (None, [], None)

        asyncio.run(scenario())

    def test_what_is_taken_over_is_there_for_those_with_the_key(self, monkeypatch):
        monkeypatch.setattr(peers, "PATIENCE", 60.0)

        async def scenario() -> int | None:
            serving = Serving(publication(2, 5))
            config = with_secondaries(("127.0.0.1", 9))
            following = Following(config, serving)
            async with (
                dnsd.listen(serving.answers, [("127.0.0.1", 0)], transfers=following.transfers) as bound,
                following.told(),
            ):
                await serving.take(change(6, 1))
                return await peers.serial(replace(ZONE), bound[0], dns.tsig.Key("trinco", OCTETS))

        assert asyncio.run(scenario()) == 6
