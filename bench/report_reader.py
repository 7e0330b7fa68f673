"""Reads the same reports over and over in one way, and prints the µs of CPU for one: run by `bench.reports`.

    python report_reader.py WAY DIRECTORY

It stands alone, since the peers have an environment of their own. The directory holds `*.json.gz` and `*.eml`.
"""

from __future__ import annotations

import gzip
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROUNDS = 7
Read = Callable[[bytes], object]


def ours() -> Read:
    from trinco.core.tlsrpt import parse

    return parse.reports


def parsedmarc_mail() -> Read:
    import parsedmarc

    return lambda data: parsedmarc.parse_report_email(data, offline=True)


def pydantic_models() -> Read:
    """What a careful program without a parser of its own does: gzip, json, and typed models."""
    from pydantic import BaseModel, ConfigDict, NonNegativeInt

    class Base(BaseModel):
        model_config = ConfigDict(alias_generator=lambda name: name.replace("_", "-"))

    class Detail(Base):
        result_type: str
        sending_mta_ip: str | None = None
        receiving_mx_hostname: str | None = None
        receiving_mx_helo: str | None = None
        receiving_ip: str | None = None
        failed_session_count: NonNegativeInt = 0
        additional_information: str | None = None
        failure_reason_code: str | None = None

    class Policy(Base):
        policy_type: str
        policy_string: list[str] = []
        policy_domain: str = ""
        mx_host: list[str] | str = []

    class Summary(Base):
        total_successful_session_count: NonNegativeInt = 0
        total_failure_session_count: NonNegativeInt = 0

    class Entry(Base):
        policy: Policy
        summary: Summary
        failure_details: list[Detail] = []

    class Range(Base):
        start_datetime: str
        end_datetime: str

    class Report(Base):
        organization_name: str
        date_range: Range
        report_id: str
        policies: list[Entry]
        contact_info: str | None = None

    return lambda data: Report.model_validate(json.loads(gzip.decompress(data)))


WAYS: dict[str, tuple[Callable[[], Read], str]] = {
    "ours-file": (ours, "*.json.gz"),
    "ours-mail": (ours, "*.eml"),
    "pydantic-file": (pydantic_models, "*.json.gz"),
    "parsedmarc-mail": (parsedmarc_mail, "*.eml"),
}


def main(way: str, directory: str) -> None:
    make, pattern = WAYS[way]
    read, inputs = make(), [path.read_bytes() for path in sorted(Path(directory).glob(pattern))]
    taken = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for data in inputs:
            read(data)
        taken.append((time.process_time() - began) / len(inputs) * 1e6)
    print(median(taken))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
