"""deploy/: what it names exists, and what reads it finds nothing wrong."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support import needs

from trinco import config
from trinco.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
ROLES = {"trinco-edge", "trinco-migrate", "trinco-panel", "trinco-worker"}
METRIC = re.compile(r"\btrinco_[a-z0-9_]+")
SOURCES = {"edge/metrics.py": "trinco_edge_", "panel/metrics.py": "trinco_", "cli/canary.py": ""}
"""Where metrics are made, and what their makers put before a name that is not whole."""
MADE = re.compile(
    r'(Counter|Gauge)MetricFamily\(\s*(?:PREFIX \+ )?"([a-z0-9_]+)"|(_counter|_gauge|_labelled)\(\s*"([a-z0-9_]+)"'
)


def metrics() -> set[str]:
    """The metrics that the code makes, under the names that Prometheus has them by."""
    found = {
        "trinco_database_up",
        *(f"trinco_{which}_timestamp_seconds" for which in ("worker_job_last_success", "canary_last")),
    }
    for source, prefix in SOURCES.items():
        for family, whole, maker, word in MADE.findall((ROOT / "src" / "trinco" / source).read_text()):
            name = whole or word
            name = name if name.startswith("trinco_") else prefix + name
            found.add(f"{name}_total" if "ounter" in family + maker else name)
    return found


class TestUnits:
    """One hardened unit per role, and one that brings the tables up to date."""

    def test_there_is_one_per_role(self):
        assert {path.stem for path in UNITS} == ROLES

    @pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
    def test_systemd_finds_nothing_wrong(self, unit, tmp_path):
        for each in UNITS:
            text = each.read_text().replace("/opt/trinco/.venv/bin/trinco", sys.executable)
            (tmp_path / each.name).write_text(text)
        command = [needs("systemd-analyze"), "verify", "--man=no", "--recursive-errors=one", str(tmp_path / unit.name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        ours = [line for line in done.stderr.splitlines() if "trinco" in line]
        assert (ours, done.returncode) == ([], 0), done.stderr

    @pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
    def test_it_runs_a_command_that_exists_as_nobody_special(self, unit):
        lines = dict(line.split("=", 1) for line in unit.read_text().splitlines() if "=" in line)
        assert lines["ExecStart"].split()[1] in {command.name for command in COMMANDS}
        assert (lines["User"], lines["NoNewPrivileges"], lines["ProtectSystem"]) == ("trinco", "yes", "strict")
        wanted = "CAP_NET_BIND_SERVICE" if unit.stem == "trinco-edge" else ""
        assert lines["CapabilityBoundingSet"] == wanted


class TestSettings:
    def test_the_example_is_a_configuration(self):
        lines = [line for line in (DEPLOY / "trinco.env").read_text().splitlines() if line and line[0] != "#"]
        pairs = (shlex.split(line)[0].split("=", 1) for line in lines)
        made = config.load(dict(pairs))
        assert (str(made.data), made.edge_status_listen) == ("/var/lib/trinco", (("127.0.0.1", 9102),))


class TestContainer:
    def test_what_it_copies_is_there_and_it_names_one_base(self):
        lines = (DEPLOY / "Containerfile").read_text().splitlines()
        copied = [
            word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
        ]
        assert [name for name in copied if not (ROOT / name).exists()] == []
        assert {line.split()[1] for line in lines if line.startswith("FROM ")} == {"debian:12-slim"}


class TestDashboard:
    """A Grafana dashboard file whose queries name metrics that exist."""

    def test_every_metric_exists(self):
        panels = json.loads((DEPLOY / "grafana" / "trinco.json").read_text())["panels"]
        asked = {name for panel in panels for target in panel["targets"] for name in METRIC.findall(target["expr"])}
        assert len(asked) > 25
        assert asked - metrics() == set()


class TestPage:
    """docs/deploy.md names only what exists."""

    def test_settings_commands_metrics_and_files(self):
        text = (ROOT / "docs" / "deploy.md").read_text()
        known = {s.variable for s in config.SETTINGS} | {s.variable + "_FILE" for s in config.SETTINGS if s.secret}
        assert set(re.findall(r"TRINCO_[A-Z_]*[A-Z]", text)) - known == set()
        commands = set(re.findall(r"(?:^|`|/bin/)trinco ([a-z]+)", text, re.MULTILINE))
        assert commands - {command.name for command in COMMANDS} == set()
        assert set(METRIC.findall(text)) - metrics() == {"trinco_tenant"}  # a role of the database
        assert [path for path in re.findall(r"deploy/[\w./]*\w", text) if not (ROOT / path).exists()] == []
