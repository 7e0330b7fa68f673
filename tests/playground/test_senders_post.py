"""The senders' rounds: through both real doors, each report once, and verified by the keys in their zones."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.playground.senders_rig import HOST, LABEL, NOW, OTHER, Rig, customer, held, running

from trinco.core.errors import NoRecord, Refused
from trinco.core.tlsrpt import parse
from trinco.core.tlsrpt.arrival import Channel
from trinco.net import dkim
from trinco.playground import senders_post, store
from trinco.playground.senders_road import Undelivered

LATER = Refused("later", smtp_reply="452 4.3.1 later", http_status=503)
NEVER = Refused("never", smtp_reply="550 5.1.1 never", http_status=404)


@pytest.fixture(scope="module", autouse=True)
def _few_days() -> Any:
    """Three days in place of five weeks: signing takes its time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(senders_post, "DAYS", 3)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One directory for all, since keys are made in it."""
    return tmp_path_factory.mktemp("playground")


def inside(data: Path, do: Callable[[Rig], Awaitable[Any]]) -> Any:
    """With the doors open, nothing sent so far."""
    store.save_sent(data, set())

    async def work() -> Any:
        async with running(data) as rig:
            return await do(rig)

    return asyncio.run(work())


class TestRound:
    """RFC 8460 section 3: a sender looks the record up and delivers to one of its addresses."""

    def test_every_report_once_and_by_its_door(self, data: Path) -> None:
        async def rounds(rig: Rig) -> tuple[Any, ...]:
            first, arrived = await rig.post.round(), list(rig.desk.arrivals)
            second = await rig.post.round()
            return first, arrived, second, len(rig.desk.arrivals)

        first, arrived, second, total = inside(data, rounds)
        assert (first, second, total) == (len(arrived), 0, len(arrived))
        assert {each.token for each in arrived} == {LABEL, OTHER}
        doors = Counter((each.channel, each.token == LABEL) for each in arrived)
        assert doors[(Channel.HTTPS, True)] in (2, 3)
        assert (doors[(Channel.HTTPS, False)], doors[(Channel.MAIL, True)] > 9) == (0, True)
        found = [report for each in arrived for report in parse.reports(each.body)]
        assert len({(each.submitter, each.report_id) for each in found}) == len(found) == len(arrived)
        assert {each.start.date() for each in found} == {NOW.date() - timedelta(days=age) for age in range(1, 4)}

    def test_all_but_the_small_one_are_verified_by_their_keys(self, data: Path) -> None:
        async def verdicts(rig: Rig) -> set[tuple[str, bool]]:
            await rig.post.round()
            mails = [each for each in rig.desk.arrivals if each.channel is Channel.MAIL]
            found = set()
            for each in mails:
                verdict = await dkim.verify(each.body, rig.dns, each.received_at)
                submitter = parse.reports(each.body)[0].submitter
                found.add((submitter, dkim.vouches(verdict, submitter) == submitter))
            return found

        assert inside(data, verdicts) == {
            ("gigante-mail.example", True),
            ("office-cloud.example", True),
            ("posta-norte.example", True),
            ("cooperativa.example", True),
            ("estalagem.example", True),
            ("quiosque.example", False),
        }

    def test_after_midnight_the_day_that_has_ended(self, data: Path) -> None:
        async def rounds(rig: Rig) -> set[date]:
            await rig.post.round()
            rig.desk.arrivals.clear()
            tomorrow = NOW + timedelta(days=1)
            await replace(rig.post, now=lambda: tomorrow).round()
            return {report.start.date() for each in rig.desk.arrivals for report in parse.reports(each.body)}

        assert inside(data, rounds) == {NOW.date()}

    def test_what_is_for_later_is_sent_with_its_day_again(self, data: Path) -> None:
        async def rounds(rig: Rig) -> tuple[int, int, set[Any], int]:
            rig.desk.refusals.append(LATER)
            with pytest.raises(Undelivered):
                await rig.post.round()
            done = store.sent(data)
            count = await rig.post.round()
            return len(done), count, store.sent(data), len(rig.desk.arrivals)

        done, count, days, arrived = inside(data, rounds)
        assert (done, len(days), count) == (0, 3, arrived)

    def test_what_is_refused_for_good_is_left_out(self, data: Path) -> None:
        async def rounds(rig: Rig) -> tuple[int, int]:
            rig.desk.tokens.remove(OTHER)
            return await rig.post.round(), len([each for each in rig.desk.arrivals if each.token == OTHER])

        count, others = inside(data, rounds)
        assert (count > 10, others) == (True, 0)

    def test_who_wants_no_reports_gets_none(self, data: Path) -> None:
        async def rounds(rig: Rig) -> set[str]:
            del rig.records[(f"{OTHER}.tlsrpt.trinco.example", "TXT")]
            await rig.post.round()
            return {each.token for each in rig.desk.arrivals}

        assert inside(data, rounds) == {LABEL}

    def test_a_policy_that_is_new_is_remembered(self, data: Path) -> None:
        async def rounds(rig: Rig) -> store.Policies:
            old = held("correio.example")[:1]
            store.save_policies(data, {"correio.example": old})
            await rig.post.round()
            return store.policies(data)

        first, second = inside(data, rounds)["correio.example"]
        assert (first, second.since) == (held("correio.example")[0], NOW)
        assert second.body == held("correio.example")[1].body

    def test_waits_for_the_doors(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(senders_post, "PAUSE", 0.01)

        async def waiting(rig: Rig) -> int:
            record = rig.records.pop((HOST, "A"))
            working = asyncio.create_task(rig.post.run())
            await asyncio.sleep(0.1)
            assert rig.desk.arrivals == []
            rig.records[(HOST, "A")] = record
            while len(store.sent(data)) < 3:
                await asyncio.sleep(0.02)
            working.cancel()
            return len(rig.desk.arrivals)

        assert inside(data, waiting) > 20


class TestNow:
    """The playground's page: one report of today, however often it is asked for."""

    def test_each_time_another_one(self, data: Path) -> None:
        async def twice(rig: Rig) -> Any:
            told = await rig.post.asked("correio.example")
            return told, rig.desk.arrivals

        told, (arrival,) = inside(data, twice)
        (report,) = parse.reports(arrival.body)
        assert told == {"sender": "gigante-mail.example", "report_id": report.report_id}
        assert (arrival.token, report.start.date()) == (LABEL, NOW.date())
        assert report.report_id.endswith("-093000")

    @pytest.mark.parametrize("name", ["novo.example", "example.com"])
    def test_who_is_not_there_has_none(self, data: Path, name: str) -> None:
        async def asked(rig: Rig) -> None:
            await rig.post.asked(name)

        with pytest.raises(NoRecord):
            inside(data, asked)

    def test_a_refusal_is_told(self, data: Path) -> None:
        async def asked(rig: Rig) -> None:
            rig.desk.refusals.append(NEVER)
            await rig.post.send_now(customer("correio.example"))

        with pytest.raises(Undelivered, match=r"the report about correio\.example was not taken"):
            inside(data, asked)
