"""From the spool into the database: all of it, once, in order, and not removed before."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.edge.arrivals import Inbox, arrival
from tests.edge.node_rig import until
from tests.edge.test_spool import names

from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import carrier, shelf, spoolfile
from trinco.edge.carrier import Carrier, carrying
from trinco.edge.shelf import State
from trinco.edge.spool import Spool


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(carrier, "SOON", 0.01)
    monkeypatch.setattr(carrier, "LONGEST_RETRY", 0.05)


def life(directory: Path, inbox: Inbox, talk: Callable[[Spool, Carrier], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with asyncio.timeout(60):
            spool = Spool(directory)
            async with carrying(spool, inbox) as working:
                return await talk(spool, working)

    return asyncio.run(run())


async def nothing(_spool: Spool, _carrier: Carrier) -> None:
    """A life that begins and ends."""


def putting(*arrivals: Arrival) -> Callable[[Spool, Carrier], Awaitable[None]]:
    async def put(spool: Spool, _carrier: Carrier) -> None:
        await asyncio.gather(*map(spool.put, arrivals))

    return put


def spoolfile_of(directory: Path) -> None:
    """A batch that waits since the life before."""
    (directory / "000000000001.spool").write_bytes(b"".join(spoolfile.write([arrival()])))


class TestCarried:
    """DESIGN 2, flow 3: the raw bytes are on disk; the database has them; only then are they removed."""

    def test_at_once(self, tmp_path, inbox, monkeypatch):
        monkeypatch.setattr(carrier, "POLL", 600.0)

        async def put(spool: Spool, _carrier: Carrier) -> None:
            await asyncio.sleep(0.05)  # it has looked, and waits
            await spool.put(arrival())
            await until(lambda: inbox.taken)

        life(tmp_path, inbox, put)
        assert names(tmp_path) == []

    def test_what_a_life_before_has_left(self, tmp_path, inbox):
        sent = [arrival(str(number).encode()) for number in range(300)]
        inbox.away = True
        life(tmp_path, inbox, putting(*sent))
        inbox.away = False
        life(tmp_path, inbox, nothing)
        assert list(inbox.taken.values()) == sent
        assert names(tmp_path) == []

    def test_many_files_in_one_transaction(self, tmp_path, inbox):
        async def put(spool: Spool, _carrier: Carrier) -> None:
            for number in range(600):
                await spool.put(arrival(str(number).encode()))

        inbox.away = True
        life(tmp_path, inbox, put)
        inbox.away = False
        life(tmp_path, inbox, nothing)
        assert inbox.calls == [500, 100]

    def test_nothing_is_removed_before_it_is_taken(self, tmp_path, inbox):
        seen: list[list[str]] = []
        inbox.on_take = lambda: seen.append(names(tmp_path))
        life(tmp_path, inbox, putting(arrival()))
        assert (seen, names(tmp_path)) == ([["000000000001.spool"]], [])

    def test_whoever_is_killed_in_between_takes_it_again(self, tmp_path, inbox):
        """And `Arrival.id` makes that once."""
        sent = arrival()
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Spool, "done", lambda *_: None)  # as if killed
            life(tmp_path, inbox, putting(sent))
        assert len(names(tmp_path)) == 1
        life(tmp_path, inbox, nothing)
        assert (list(inbox.taken), names(tmp_path)) == ([sent.id], [])


class TestAway:
    """RELIABILITY 3: "Database down: mail and HTTPS ingest keep accepting"."""

    @pytest.mark.usefixtures("quick")
    def test_all_are_there_once_it_is_back(self, tmp_path, inbox):
        sent = [arrival(str(number).encode()) for number in range(200)]

        async def outage(spool: Spool, working: Carrier) -> list[bool]:
            stale = []
            inbox.away = True
            for count, each in enumerate(sent):
                await spool.put(each)
                if count == 150:
                    await until(lambda: working.stale_since)
                    stale.append(working.stale_since is not None)
                    inbox.away = False
            await until(lambda: len(inbox.taken) == len(sent))
            await until(lambda: working.stale_since is None)
            return stale

        with capture_logs() as logs:
            assert life(tmp_path, inbox, outage) == [True]
        assert list(inbox.taken.values()) == sent
        assert [line["event"] for line in logs] == ["reports_wait", "reports_flow"]

    def test_it_is_asked_less_and_less_often(self, tmp_path, inbox, monkeypatch):
        monkeypatch.setattr(carrier, "SOON", 0.02)
        monkeypatch.setattr(carrier, "LONGEST_RETRY", 0.2)
        asked: list[float] = []
        inbox.on_take = lambda: asked.append(time.monotonic())
        inbox.away = True

        async def outage(spool: Spool, _carrier: Carrier) -> None:
            await spool.put(arrival())
            await until(lambda: len(asked) >= 6)

        life(tmp_path, inbox, outage)
        pauses = [later - earlier for earlier, later in pairwise(asked)]
        assert pauses[0] >= 0.04
        assert pauses[4] >= 0.2

    def test_new_reports_do_not_make_it_ask_sooner(self, tmp_path, inbox, monkeypatch):
        monkeypatch.setattr(carrier, "SOON", 600.0)
        monkeypatch.setattr(carrier, "LONGEST_RETRY", 600.0)
        monkeypatch.setattr(carrier, "POLL", 600.0)
        asked: list[float] = []
        inbox.on_take = lambda: asked.append(time.monotonic())
        inbox.away = True

        async def outage(spool: Spool, _carrier: Carrier) -> None:
            for _ in range(30):
                await spool.put(arrival())
                await asyncio.sleep(0.01)

        life(tmp_path, inbox, outage)
        assert len(asked) <= 2


class TestPoison:
    """RELIABILITY 3: "Bad TLS reports never stop the queue"."""

    def test_the_others_go_on(self, tmp_path, inbox):
        sent = [arrival(b"good"), arrival(b"bad"), arrival(b"good too")]
        inbox.poison = {b"bad"}

        async def put(spool: Spool, _carrier: Carrier) -> None:
            for each in sent:
                await spool.put(each)
            await until(lambda: len(inbox.taken) == 2)

        with capture_logs() as logs:
            life(tmp_path, inbox, put)
        assert list(inbox.taken) == [sent[0].id, sent[2].id]
        assert [line["file"] for line in logs if line["event"] == "report_not_taken"] == ["000000000002.spool"]

        inbox.poison = set()
        life(tmp_path, inbox, nothing)
        assert (set(inbox.taken), names(tmp_path)) == ({each.id for each in sent}, [])

    def test_one_of_a_file_alone_stays_and_is_offered_again_later(self, tmp_path, inbox, monkeypatch):
        """The token may come: with a restored database, say."""
        monkeypatch.setattr(shelf, "FIRST_PAUSE", 0.1)
        monkeypatch.setattr(carrier, "POLL", 0.02)
        sent = [arrival(b"good"), arrival(b"bad"), arrival(b"good too")]
        (tmp_path / "000000000001.spool").write_bytes(b"".join(spoolfile.write(sent)))
        inbox.poison = {b"bad"}

        def kept() -> list[list[Arrival]]:
            return [spoolfile.read(path.read_bytes()).arrivals for path in tmp_path.glob("*.spool")]

        async def wait(spool: Spool, _carrier: Carrier) -> None:
            await until(lambda: spool.state().left and kept() == [[sent[1]]])
            inbox.poison = set()
            await until(lambda: len(inbox.taken) == 3)
            await until(lambda: spool.state() == State(0, 0, 0, None))

        life(tmp_path, inbox, wait)
        assert list(inbox.taken) == [sent[0].id, sent[2].id, sent[1].id]
        assert names(tmp_path) == []

    @pytest.mark.usefixtures("quick")
    def test_a_disk_that_fails_is_told_and_asked_again(self, tmp_path, inbox, monkeypatch):
        real = Spool.done
        calls: list[int] = []

        def done(self: Spool, path: Path) -> None:
            calls.append(1)
            if len(calls) < 3:
                raise OSError("read-only")
            real(self, path)

        monkeypatch.setattr(Spool, "done", done)
        with capture_logs() as logs:
            life(tmp_path, inbox, putting(arrival()))
            life(tmp_path, inbox, nothing)
        assert names(tmp_path) == []
        assert [line["event"] for line in logs] == ["report_not_taken"]


class TestTurnedAway:
    """RELIABILITY 26: "reports were shed" shown: the inbox is told how many, and no report waits for that."""

    def told(self, directory: Path, inbox: Inbox, untold: Counter[str], talk: Callable[[], Awaitable[Any]]) -> None:
        async def run() -> None:
            async with asyncio.timeout(60), carrying(Spool(directory), inbox, untold):
                await talk()

        asyncio.run(run())

    def test_each_once(self, tmp_path, inbox, monkeypatch):
        monkeypatch.setattr(carrier, "POLL", 0.01)
        untold = Counter({"one": 3, "other": 95})

        async def talk() -> None:
            await until(lambda: inbox.told)
            untold["one"] += 1
            await until(lambda: len(inbox.told) == 2)

        self.told(tmp_path, inbox, untold, talk)
        assert (inbox.told, untold) == ([{"one": 3, "other": 95}, {"one": 1}], Counter())

    def test_so_many_at_a_time_the_most_first(self, tmp_path, inbox, monkeypatch):
        monkeypatch.setattr(carrier, "TOGETHER", 1)
        untold = Counter({"few": 1, "many": 2})
        self.told(tmp_path, inbox, untold, partial(until, lambda: inbox.told))
        assert (inbox.told, untold) == ([{"many": 2}], {"few": 1})

    def test_what_cannot_be_told_is_told_later(self, tmp_path, inbox, monkeypatch):
        monkeypatch.setattr(carrier, "POLL", 0.01)
        inbox.deaf, untold = True, Counter({"one": 3})

        async def talk() -> None:
            await until(lambda: [line for line in logs if line["event"] == "turned_away_untold"])
            inbox.deaf = False
            await until(lambda: inbox.told)

        with capture_logs() as logs:
            self.told(tmp_path, inbox, untold, talk)
        assert inbox.told == [{"one": 3}]

    def test_not_while_the_database_is_away(self, tmp_path, inbox):
        inbox.away, untold = True, Counter({"one": 3})
        with capture_logs() as logs:

            async def talk() -> None:
                await until(lambda: [line for line in logs if line["event"] == "reports_wait"])

            spoolfile_of(tmp_path)
            self.told(tmp_path, inbox, untold, talk)
        assert (inbox.told, untold) == ([], {"one": 3})


class TestEnd:
    """A clean stop carries what is there, and waits for nobody."""

    def test_what_is_there_is_carried(self, tmp_path, inbox):
        sent = [arrival(str(number).encode()) for number in range(50)]
        life(tmp_path, inbox, putting(*sent))
        assert (len(inbox.taken), names(tmp_path)) == (50, [])

    def test_without_the_database_at_once(self, tmp_path, inbox):
        asked: list[None] = []
        inbox.on_take = lambda: asked.append(None)
        inbox.away = True

        async def put(spool: Spool, working: Carrier) -> int:
            await spool.put(arrival())
            await until(lambda: working.stale_since)
            return len(asked)

        assert life(tmp_path, inbox, put) == len(asked)
        assert len(names(tmp_path)) == 1

    def test_with_a_database_that_hangs_within_two_seconds(self, tmp_path, inbox):
        asked, answered = threading.Event(), threading.Event()
        inbox.on_take = lambda: (asked.set(), answered.wait(60), None)[2]

        async def run() -> bool:
            spool = Spool(tmp_path)
            async with carrying(spool, inbox):
                await spool.put(arrival())
                assert await asyncio.to_thread(asked.wait, 60)
            left_alone = not inbox.taken
            answered.set()
            return left_alone

        assert asyncio.run(run())
        assert carrier.FAREWELL == 2
