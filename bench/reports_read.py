"""Reading a report of 20 failure details: as a file beside gzip, json and pydantic, as a mail beside parsedmarc."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import venv
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from statistics import median
from typing import Any

from bench import harness
from bench.row import Better, Missing, Row
from trinco.core.tlsrpt import results

COUNT, DETAILS, REPEATS = 300, 20, 3
READER = Path(__file__).with_name("report_reader.py")


def rows(scratch: Path) -> Iterator[Row]:
    inputs = scratch / "inputs"
    inputs.mkdir()
    for number in range(COUNT):
        _write(inputs, number)
    python, version = _peers(scratch / "venv")
    note = f"{COUNT} reports of {DETAILS} details, medians of {REPEATS} x 7 rounds in turn, CPU alone"
    for what, ours, peer, against, floor, goal in (
        ("report decode and validate", "ours-file", "pydantic-file", "gzip + json + pydantic", 2.5, 3.7),
        ("report from a whole mail, without DKIM", "ours-mail", "parsedmarc-mail", version, 4.0, 6.0),
    ):
        taken: dict[str, list[float]] = {ours: [], peer: []}
        for _ in range(REPEATS):
            taken[ours].append(_run(sys.executable, ours, inputs))
            taken[peer].append(_run(python, peer, inputs))
        figures = [1e6 / median(taken[way]) for way in (ours, peer)]
        yield Row(what, figures[0], "/s", Better.HIGHER, floor, goal, against, figures[1], note)


def _run(python: str, way: str, inputs: Path) -> float:
    """µs of CPU for one report."""
    argv = harness.pinned((python, "-P", str(READER), way, str(inputs)), 0)
    return float(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[-1])


def _peers(directory: Path) -> tuple[str, str]:
    """The interpreter of an environment with parsedmarc and pydantic, and parsedmarc's name and version."""
    venv.create(directory, with_pip=True)
    python = str(directory / "bin" / "python")
    install = (python, "-m", "pip", "install", "-q", "parsedmarc", "pydantic")
    if subprocess.run(install, capture_output=True, check=False).returncode:
        raise Missing("parsedmarc: its package cannot be installed here")
    tell = "import importlib.metadata as m; print(m.version('parsedmarc'))"
    return python, "parsedmarc " + subprocess.run(
        (python, "-c", tell), capture_output=True, text=True, check=True
    ).stdout.strip()


def document(number: int, details: int = DETAILS) -> dict[str, Any]:
    """A made-up report of one policy and so many failure details; the same number gives the same report."""
    chance = random.Random(number)
    domain = f"d{number:06}.example"
    kinds = [each.word for each in results.NEGOTIATION]
    failures = [
        {
            "result-type": chance.choice(kinds),
            "sending-mta-ip": f"2001:db8:{chance.randrange(65536):x}::{chance.randrange(65536):x}",
            "receiving-mx-hostname": f"mx{chance.randrange(4)}.{domain}",
            "receiving-ip": f"198.51.100.{chance.randrange(255)}",
            "failed-session-count": chance.randrange(1, 100),
        }
        for _ in range(details)
    ]
    policy = {
        "policy-type": "sts",
        "policy-string": ["version: STSv1", "mode: testing", f"mx: *.{domain}", "max_age: 86400"],
        "policy-domain": domain,
        "mx-host": [f"*.{domain}"],
    }
    failed = sum(each["failed-session-count"] for each in failures)
    summary = {"total-successful-session-count": chance.randrange(10_000), "total-failure-session-count": failed}
    return {
        "organization-name": f"Sender {number % 50}",
        "date-range": {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-01T23:59:59Z"},
        "contact-info": "tls-reports@sender.example",
        "report-id": f"{number:08}-{domain}",
        "policies": [{"policy": policy, "summary": summary, "failure-details": failures}],
    }


def mail(number: int, content: bytes) -> bytes:
    """The mail of RFC 8460 section 5.3 around a compressed report."""
    message, domain = EmailMessage(), f"d{number:06}.example"
    message["From"] = "tls-reports@sender.example"
    message["To"] = "tlsrpt@receiver.example"
    message["Subject"] = f"Report Domain: {domain} Submitter: sender.example Report-ID: <{number}@sender.example>"
    message["TLS-Report-Domain"], message["TLS-Report-Submitter"] = domain, "sender.example"
    message.set_content("An aggregate TLS report.")
    name = f"sender.example!{domain}!1775001600!1775087999.json.gz"
    message.add_attachment(content, maintype="application", subtype="tlsrpt+gzip", filename=name)
    return message.as_bytes()


def _write(directory: Path, number: int) -> None:
    content = gzip.compress(json.dumps(document(number), separators=(",", ":")).encode(), 6)  # as Google writes it
    (directory / f"{number:04}.json.gz").write_bytes(content)
    (directory / f"{number:04}.eml").write_bytes(mail(number, content))
