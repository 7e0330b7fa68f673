"""What tests of several rooms share."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

PACKAGES = {
    "caddy": "caddy",
    "chromium": "chromium",
    "dig": "dnsutils",
    "dnsperf": "dnsperf",
    "dovecot": "dovecot-imapd",
    "haproxy": "haproxy",
    "ip": "iproute2",
    "knotd": "knot",
    "nginx": "nginx-light",
    "nsd": "nsd",
    "pdns_server": "pdns-server",
    "pebble": "pebble",
    "pg_dump": "postgresql-client",
    "pg_restore": "postgresql-client",
    "psql": "postgresql-client",
    "postgres": "postgresql",
    "strace": "strace",
    "swaks": "swaks",
    "systemd-analyze": "systemd",
    "unbound": "unbound",
    "unshare": "util-linux",
}
"""Debian package of each program that a test may drive."""

_VERSIONED = map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True))
SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *_VERSIONED))
"""Where Debian puts daemons, which is not on everybody's PATH."""


def needs(program: str) -> str:
    """The path of `program`. Where it is absent the test is skipped, naming the Debian package; with CI=true it fails."""
    path = shutil.which(program, path=SYSTEM_PATH)
    if path is not None:
        return path
    reason = f"needs {program}: apt-get install {PACKAGES.get(program, program)}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
