"""`trinco doctor` on secondaries: in step, behind, ahead, silent."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import pytest
from test_secondaries_settings import KEY, SECRET, loaded
from tests.edge.publications import ZONE

from trinco.cli import examine_secondaries
from trinco.cli.findings import Finding, Verdict
from trinco.core.hosting import Publication
from trinco.edge import dnsd
from trinco.edge.answers import Answers
from trinco.edge.tsig import Keys


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examine_secondaries, "SECONDS", 0.1)
    monkeypatch.setattr(examine_secondaries, "_PAUSE", 0.05)
    monkeypatch.setattr(
        examine_secondaries.peers, "PATIENCE", 60.0
    )  # who is there is waited for; who is not is heard of


def server(serial: int) -> AbstractAsyncContextManager[list[tuple[str, int]]]:
    answers = Answers(Publication(serial, ZONE))
    answers.keys = Keys(KEY)
    return dnsd.listen(answers, [("127.0.0.1", 0)])


def found(ours: int | None, *theirs: int) -> list[Finding]:
    async def scenario() -> list[Finding]:
        async with AsyncExitStack() as stack:
            own = (await stack.enter_async_context(server(ours)))[0][1] if ours is not None else 9
            bound = [(await stack.enter_async_context(server(serial)))[0] for serial in theirs]
            words = " ".join(f"{host}:{port}" for host, port in bound) or "127.0.0.1:9"
            settings = loaded(TSIG_KEY=f"trinco:{SECRET}", SECONDARIES=words, DNS_LISTEN=f"127.0.0.1:{own}")
            return [finding async for finding in examine_secondaries.examine(settings)]

    return asyncio.run(scenario())


class TestSecondaries:
    def test_in_step_is_well(self) -> None:
        assert [(each.verdict, each.seen) for each in found(7, 7, 7)] == [(Verdict.OK, "it has serial 7, as we do")] * 2

    def test_behind_is_a_warning_that_says_how_far(self) -> None:
        (finding,) = found(7, 4)
        seen = "it is 3 revisions behind: it has serial 4, we have 7"
        assert (finding.verdict, finding.seen) == (Verdict.WARNING, seen)

    def test_behind_over_the_end_of_the_circle(self) -> None:
        assert found(2**32 + 1, 2**32 - 1)[0].seen.startswith("it is 2 revisions behind")

    def test_ahead_is_an_error(self) -> None:
        (finding,) = found(4, 7)
        assert (finding.verdict, finding.seen) == (Verdict.ERROR, "it has serial 7, which is later than ours, 4")

    def test_silence_is_an_error(self) -> None:
        (finding,) = found(7)
        assert finding.verdict is Verdict.ERROR
        assert finding.part == "secondary 127.0.0.1:9"

    def test_without_our_own_there_is_nothing_to_compare(self) -> None:
        assert found(None, 7)[0].verdict is Verdict.UNTESTED

    def test_one_that_follows_meanwhile_is_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(examine_secondaries, "SECONDS", 60.0)
        serials = iter([4, 5, 7])

        async def told(zone: object, endpoint: object, key: object = None) -> int:
            return next(serials) if key is not None else 7

        monkeypatch.setattr(examine_secondaries.peers, "serial", told)
        assert found(None, 7)[0].verdict is Verdict.OK

    def test_no_secondaries_no_findings(self) -> None:
        async def scenario() -> list[Finding]:
            return [finding async for finding in examine_secondaries.examine(loaded())]

        assert asyncio.run(scenario()) == []
