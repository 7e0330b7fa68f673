"""The drill: a backup while Trinco works, a restore, and what the world has seen meanwhile."""

from __future__ import annotations

import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from tests.edge.installation import installed, until
from tests.support_backup import PASSPHRASE, ROOT, Place

from trinco.edge.snapshot import Store
from trinco.panel.recovery import LEAP

DOMAIN = "correio.example"
CARRIED = """
import asyncio
from tests.cli.backup_reports import carrying, settings, Spool, DatabaseInbox
async def carry():
    async with carrying(Spool(settings.DATA / "edge" / "edge1" / "spool"), DatabaseInbox()):
        pass
asyncio.run(carry())
from trinco.panel.reports.models import RawReport, Report
from trinco.panel.reports.services import digest_due
while digest_due(timezone.now()):
    pass
counted = Report.objects.everywhere().filter(counted=True)
answer = [sorted(RawReport.objects.everywhere().values_list("arrival_id", flat=True)),
          sorted(counted.values_list("report_id", flat=True))]
"""


class TestReports:
    """RELIABILITY 3: backup under 50 reports/s, restore, compare acknowledged set."""

    @pytest.mark.slow
    def test_what_was_accepted_before_the_backup_is_there_once(self, tmp_path):
        place, restored = Place(tmp_path / "data"), Place(tmp_path / "restored")
        labels = place.ask(f"answer = host('{DOMAIN}')")
        with accepting(place, labels[DOMAIN]) as sender:
            before = acknowledged(sender, 60)
            spooled(place, restored)
            archive = taken(place)
            after = acknowledged(sender, 20)
        put_back(restored, archive)
        arrived, counted = restored.ask(CARRIED)
        assert set(before) <= set(arrived)
        assert set(arrived) <= {*before, *after, *(f"drill-{number:06}" for number in range(1, 10_000))}
        assert counted == arrived


class TestWhatTheWorldHasSeen:
    """RELIABILITY row 42 and 5, 11: after a restore ids and serials go on above the highest ever published."""

    def test_the_edge_says_and_ids_and_serials_go_above(self, tmp_path):
        (tmp_path / "data").mkdir()
        with installed(tmp_path / "data", DOMAIN, edges=1) as old:
            place, (edge,) = Place(old.data, settings_of(old.edges[0].environment)), old.edges
            edge.start()
            old.do("announce")
            until(lambda: old.announced(DOMAIN))
            archive = taken(place)
            lost = [old.do("publish", DOMAIN, number) for number in (2, 3, 4)][-1]
            until(lambda: old.announced(DOMAIN))
            seen = old.do("revision")
            edge.stop()
            old.driver.kill()
            old.driver.wait()
        assert place.trinco("restore", archive, "--replace")[0] == 0
        snapshot = Store(place.data / "edge" / edge.name).load()
        assert snapshot is not None
        assert (snapshot.revision, snapshot.domains[old.labels[DOMAIN]].policy_id) == (seen, lost)
        edge.start()
        try:
            current, body, revision = place.ask(NOW)
        finally:
            edge.stop()
        assert (current > lost, revision > seen + LEAP, body) == (True, True, "v1.correio.example")


NOW = f"""
found = standing(HostedDomain.objects.everywhere().get(name={DOMAIN!r}))
answer = [found.current.policy_id, found.current.mx[0], revision()]
"""


def accepting(place: Place, label: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.cli.backup_reports", label]
    return Ended(command, env=place.environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)


class Ended(subprocess.Popen):
    """A process that is asked to end when its block is left."""

    def __exit__(self, *details: object) -> None:
        self.terminate()
        super().__exit__(*details)


def acknowledged(sender: subprocess.Popen[str], count: int) -> list[str]:
    assert sender.stdout is not None
    return [sender.stdout.readline().strip() for _ in range(count)]


def spooled(place: Place, other: Place) -> None:
    """As docs/deploy.md says: the spool first, the tables after it. A file that goes meanwhile is in the tables."""
    here, there = (each.data / "edge" / "edge1" / "spool" for each in (place, other))
    with suppress(shutil.Error):
        shutil.copytree(here, there, ignore=shutil.ignore_patterns("*.tmp"))


def taken(place: Place) -> Path:
    archive = place.data.parent / "backup.tar"
    phrase = archive.with_suffix(".pass")
    phrase.write_text(PASSPHRASE)
    status, said = place.trinco("backup", archive, "--keys", archive.with_suffix(".keys"), "--passphrase-file", phrase)
    assert status == 0, said
    return archive


def put_back(place: Place, archive: Path) -> None:
    keys = ("--keys", archive.with_suffix(".keys"), "--passphrase-file", archive.with_suffix(".pass"))
    status, said = place.trinco("restore", archive, *keys)
    assert status == 0, said


def settings_of(environment: dict[str, str]) -> dict[str, str]:
    mine = {name.removeprefix("TRINCO_"): value for name, value in environment.items() if name.startswith("TRINCO_")}
    return {name: value for name, value in mine.items() if name != "DATA"}
