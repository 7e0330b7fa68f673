"""Policy ids: RFC 8461 section 3.1, and our promise that they only go forward."""

from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import RecordSyntaxError
from trinco.core.mtasts.ids import latest_in, policy_id
from trinco.core.mtasts.record import Record, parse, render

NOW = datetime(2026, 2, 28, 23, 59, 59, 999_999, tzinfo=UTC)
HASH = sha256(b"body").hexdigest()[:8]
moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001 - zones are drawn


class TestForm:
    """3.1: an id is 1 to 32 letters and digits and MUST identify one instance of the policy."""

    def test_utc_time_and_the_beginning_of_the_hash(self):
        assert policy_id(b"body", NOW, "") == f"20260228T235959Z{HASH}"

    def test_the_time_is_utc_whatever_zone_it_is_given_in(self):
        lisbon = NOW.astimezone(timezone(timedelta(hours=1)))
        assert policy_id(b"body", lisbon, "") == policy_id(b"body", NOW, "")

    def test_years_have_four_digits(self):
        assert policy_id(b"body", datetime(33, 4, 3, tzinfo=UTC), "") == f"00330403T000000Z{HASH}"

    @given(st.binary(), moments)
    def test_any_body_and_time(self, body, now):
        value = policy_id(body, now, "")
        assert len(value) == 24
        assert parse(render(Record(value))) == Record(value)

    def test_another_body_another_id(self):
        assert policy_id(b"a", NOW, "") != policy_id(b"b", NOW, "")


class TestAbove:
    """An id sorts after every one that the world has seen: also after a restore, or with a clock set back."""

    @pytest.mark.parametrize(
        ("above", "stamp"),
        [
            ("20260228T235958Zffffffff", "20260228T235959Z"),
            ("20260228T235959Z00000000", "20260301T000000Z"),
            ("20260228T235959Zffffffff", "20260301T000000Z"),
            ("20991231T235959Zffffffff", "21000101T000000Z"),
            ("20160831085700Z", "20260228T235959Z"),
            ("1", "20260228T235959Z"),
            ("20260301T000000Z", "20260301T000001Z"),
            ("20270101T000000Zof-another-make", "20270101T000001Z"),
        ],
    )
    def test_after_it(self, above, stamp):
        value = policy_id(b"body", NOW, above)
        assert (value, value > above) == (stamp + HASH, True)

    @given(st.binary(), moments, st.binary(), moments)
    def test_any_clock(self, body, now, earlier_body, earlier):
        above = policy_id(earlier_body, earlier, "")
        value = policy_id(body, now, above)
        assert value > above
        assert policy_id(body, now, value) > value

    @given(st.lists(moments, min_size=2, max_size=20))
    def test_a_row_of_updates(self, times):
        row = [""]
        for now in times:
            row.append(policy_id(b"same body", now, row[-1]))
        assert row == sorted(set(row))

    @pytest.mark.parametrize(
        "above",
        [
            "zzz",
            "99999999T999999Z00000000",
            "99991231T235959Z00000000",
            "20270101000000Z",
            "3",
            "٣",
            "３０",
        ],
    )
    def test_nothing_of_ours_sorts_after_it(self, above):
        with pytest.raises(RecordSyntaxError) as caught:
            policy_id(b"body", NOW, above)
        assert (caught.value.source, caught.value.span) == (above, (0, len(above)))

    def test_a_time_without_zone_is_refused(self):
        with pytest.raises(RecordSyntaxError):
            policy_id(b"body", NOW.replace(tzinfo=None), "")


class TestLatestIn:
    """A text of the owner's own tells which id of ours is in DNS; an id of another make has no order."""

    @pytest.mark.parametrize(
        ("text", "latest"),
        [
            ("v=STSv1; id=20260228T235959Z0a1b2c3d;", "20260228T235959Z0a1b2c3d"),
            ("v=STSv1; id=20270101T000000Z00000000; id=20260228T235959Zffffffff;", "20270101T000000Z00000000"),
            ("v=STSv1; id=20160831085700Z;", ""),
            ("v=STSv1; id=20260228T235959Z0a1b2c3d4;", ""),
            ("v=STSv1; gid=20260228T235959Z0a1b2c3d;", ""),
            ("", ""),
        ],
    )
    def test_of_a_text(self, text, latest):
        assert latest_in(text) == latest
