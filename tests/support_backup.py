"""An installation on disk, for backups: its data directory, its commands, and questions to its tables."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PASSPHRASE = "correct horse battery staple"
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("TRINCO_", "DJANGO_"))}
PATHS = os.pathsep.join((str(ROOT / "src"), str(ROOT)))
_PRELUDE = "import json, sys\nfrom tests.edge.driver import *\n"
KEYS_OPEN = """
from django.conf import settings
from trinco.panel.certificates.models import Certificate
from trinco.panel.seal import Seal
opened = [Seal.of(settings.SEAL_KEY).open(bytes(each.sealed_key), each.domain.policy_host)
          for each in Certificate.objects.everywhere()]
answer = len(opened)
"""
"""How many private keys of certificates the key of the installation opens; it must open all."""
HOSTED = "SELECT name, label FROM domains_hosteddomain ORDER BY name"


@dataclass
class Place:
    """`settings` are variables of its environment without their prefix."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    beside: dict[str, str] = field(default_factory=dict)
    """Variables that are not Trinco's."""

    @property
    def environment(self) -> dict[str, str]:
        given = {f"TRINCO_{name}": value for name, value in self.settings.items()}
        return {**CLEAN, "PYTHONPATH": PATHS, "TRINCO_DATA": str(self.data), **given, **self.beside}

    @property
    def database(self) -> Path:
        return self.data / "trinco.sqlite3"

    def trinco(self, *arguments: object) -> tuple[int, str]:
        """The exit status of a command, and all that it said."""
        process = self.start(*arguments)
        said, _ = process.communicate(timeout=300)
        return process.returncode, said

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "trinco", *map(str, arguments)]
        streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        return subprocess.Popen(command, env=self.environment, cwd=self.data.parent, text=True, **streams)

    def ask(self, script: str) -> Any:
        """Run this where the tables are: what it leaves in `answer`."""
        code = f"{_PRELUDE}answer = None\n{script}\nprint(json.dumps(answer))"
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What SQLite's file says, to somebody who knows nothing of Trinco."""
        with closing(sqlite3.connect(self.database)) as connection:
            return connection.execute(query).fetchall()
