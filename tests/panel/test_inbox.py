"""From the spool into the tables: each arrival once, for whoever its token belongs to, whatever a stranger wrote."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import DataError, InterfaceError, OperationalError
from msgspec.structs import replace
from tests.support_panel import live, organisation
from tests.support_reports import arrival

from trinco.core.errors import FeedUnavailable, InputError
from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.panel import feeds
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.feeds import DatabaseInbox
from trinco.panel.reports.models import RawReport, RawState

pytestmark = pytest.mark.django_db


@pytest.fixture
def domain() -> HostedDomain:
    return live(organisation())


@pytest.fixture
def inbox() -> DatabaseInbox:
    return DatabaseInbox()


def rows() -> list[RawReport]:
    return list(RawReport.objects.everywhere().order_by("pk"))


class TestTaken:
    """edge.ports.Inbox: "Keep these, all or none; one that was taken before changes nothing"."""

    def test_as_it_came(self, inbox, domain):
        sent = arrival(
            b"{}",
            domain,
            channel=Channel.HTTPS,
            arrival_id="one",
            received_at=datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC),
        )
        inbox.take([sent])
        (row,) = rows()
        assert (row.organisation, row.domain, row.arrival_id, row.channel) == (
            domain.organisation,
            domain,
            "one",
            "https",
        )
        assert (zlib.decompress(row.body), row.size) == (sent.body, len(sent.body))
        assert (row.received_at, row.peer, row.media_type) == (
            datetime(2026, 11, 3, 4, 5, 6, tzinfo=UTC),
            sent.peer,
            sent.media_type,
        )
        assert (row.state, row.due_at is not None) == (RawState.PENDING, True)

    def test_once_however_often(self, inbox, domain):
        first, second = arrival(domain=domain), arrival(domain=domain)
        inbox.take([first])
        inbox.take([first, second, second])
        inbox.take([second, first])
        assert [row.arrival_id for row in rows()] == [first.id, second.id]

    def test_nothing_is_nothing(self, inbox):
        inbox.take([])
        assert rows() == []

    def test_each_for_its_owner(self, inbox, domain):
        other = live(organisation("rui@example.com"), "outro.example")
        inbox.take([arrival(domain=other), arrival(domain=domain)])
        assert [row.organisation for row in rows()] == [other.organisation, domain.organisation]


class TestOwners:
    """What was accepted is kept, whatever became of the domain since."""

    @pytest.mark.parametrize("state", list(State))
    def test_a_domain_in_any_state(self, inbox, domain, state):
        HostedDomain.objects.everywhere().update(state=state)
        inbox.take([arrival(domain=domain)])
        assert [row.domain for row in rows()] == [domain]

    def test_a_token_that_nobody_ever_had(self, inbox, domain):
        """After a restore from before the domain: the spool keeps such a file, and the others go on."""
        with pytest.raises(InputError, match="no domain has the token of 1 of these reports"):
            inbox.take([replace(arrival(), token="z" * 26), arrival(domain=domain)])
        assert [row.domain for row in rows()] == [domain]

    def test_the_token_of_nobody_is_not_an_import(self, inbox, domain):
        with pytest.raises(InputError):
            inbox.take([arrival()])
        assert rows() == []


HOSTILE = {
    "sender": "a\0b" + "é" * 1000,
    "peer": "\ud800" + "1" * 100,
    "media_type": "\0" * 100,
    "body": b"\0\xff" * 1000,
}


class TestStrangersWords:
    """RELIABILITY row 23: NUL, surrogates and lengths are refused by one database or another. No report is."""

    @pytest.mark.parametrize("field", HOSTILE)
    def test_are_kept_as_far_as_a_row_takes_them(self, inbox, domain, field):
        inbox.take([replace(arrival(domain=domain), **{field: HOSTILE[field]})])
        (row,) = rows()
        assert len(row.sender) <= 500
        assert len(row.peer) <= 64
        assert not {"\0", "\ud800"} & {*row.sender, *row.peer, *row.media_type}


class TestAway:
    """What passes is FeedUnavailable; what would come again each time must not stop the others."""

    @pytest.mark.parametrize(
        ("raised", "told"),
        [
            (OperationalError("gone"), FeedUnavailable),
            (InterfaceError("closed"), FeedUnavailable),
            (DataError("a year of five digits"), InputError),
        ],
    )
    def test_is_told_from_what_no_database_takes(self, inbox, monkeypatch, raised, told):
        def take(_: Any) -> None:
            raise raised

        monkeypatch.setattr(feeds, "take", take)
        monkeypatch.setattr(feeds.connection, "close", lambda: None)
        with pytest.raises(told):
            inbox.take([Arrival("1", "t", Channel.MAIL, 0.0, b"")])
