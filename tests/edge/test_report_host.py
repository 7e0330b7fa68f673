"""Reports over HTTPS as senders post them, over real sockets and TLS, on both loops."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest
from tests.edge.policy_rig import LOOPS, body_of, content_of, fields_of, status_of
from tests.edge.report_rig import (
    JSON,
    NAME,
    REPORT,
    TOKEN,
    ReportRig,
    chunked,
    post,
    post_chunked,
    running,
)
from tests.support_tls import Authority

from trinco.core.tlsrpt.arrival import Arrival, Channel

CLOSE = "Connection: close"


@pytest.fixture(scope="module", params=list(LOOPS))
def running_rig(request: pytest.FixtureRequest) -> Iterator[ReportRig]:
    with running(Authority(), loop_name=request.param) as rig:
        yield rig


@pytest.fixture
def rig(running_rig: ReportRig) -> ReportRig:
    running_rig.desk.arrivals.clear()
    running_rig.desk.refusal = None
    return running_rig


class TestAccepted:
    """RFC 8460 section 5.4: the report may be delivered by POST to HTTPS; the receiver returns a successful response."""

    def test_all_of_the_answer_and_the_arrival(self, rig: ReportRig) -> None:
        before = time.time()
        answer = rig.post(post(REPORT, CLOSE))
        (arrival,) = rig.desk.arrivals
        assert fields_of(answer).pop("Date")
        assert (answer.partition(b"\r\n")[0], content_of(answer)) == (b"HTTP/1.1 201 Created", b"201 Created\r\n")
        assert re.fullmatch("[0-9a-f]{32}", arrival.id)
        assert before <= arrival.received_at <= time.time()
        assert arrival == Arrival(
            id=arrival.id,
            token=TOKEN,
            channel=Channel.HTTPS,
            received_at=arrival.received_at,
            body=REPORT,
            peer="127.0.0.1",
            sender="",
            media_type=JSON,
        )

    def test_policies_are_served_beside_it(self, rig: ReportRig) -> None:
        assert content_of(rig.fetch(NAME)) == body_of(NAME)

    def test_chunked(self, rig: ReportRig) -> None:
        assert status_of(rig.post(post_chunked(chunked(REPORT[:9], REPORT[9:]), CLOSE))) == 201
        assert [arrival.body for arrival in rig.desk.arrivals] == [REPORT]
