"""The law of the digest, against a naive oracle. Runs on SQLite here and on PostgreSQL by test_postgresql_reports.py."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support_panel import announced
from tests.support_reports import arrival, day_of, detail, digested, policy, report_json

from trinco.core.tlsrpt import parse
from trinco.core.tlsrpt.arrival import Channel
from trinco.core.tlsrpt.report import MAX_COUNT
from trinco.panel.reports.models import DailyTotal, FailureRow, PolicyRow, RawReport, Report, Trust
from trinco.panel.reports.parts import content

DAY = day_of("2026-11-03")
HOUR = timedelta(hours=1)
NAMES = ("correio.example", "outro.example")
WAYS = {
    "dkim": (Channel.MAIL, "", Trust.DKIM),
    "operator": (Channel.IMPORT, "x-trinco/vouched", Trust.OPERATOR),
    "https": (Channel.HTTPS, "", Trust.HTTPS),
    "mail": (Channel.MAIL, "", Trust.NONE),
    "import": (Channel.IMPORT, "", Trust.NONE),
}

counts = st.sampled_from([0, 1, 2, 5, MAX_COUNT])
details = st.builds(
    detail,
    st.sampled_from(["certificate-expired", "validation-failure", ""]),
    counts,
    receiving_mx_hostname=st.sampled_from(["", "mx1.correio.example", "MX1.correio.example."]),
)
policies = st.builds(
    policy,
    st.sampled_from(NAMES),
    st.sampled_from(["sts", "tlsa", "no-policy-found", ""]),
    successful=counts,
    failed=counts,
    details=st.lists(details, max_size=2),
)


def document(submitter, report_id, told):
    return report_json(*told, submitter=submitter, day=DAY.date(), report_id=report_id)


documents = st.builds(
    document,
    st.sampled_from(["google.com", "google.com", "outlook.example"]),
    st.sampled_from(["1", "1", "2"]),  # many conflicts
    st.lists(policies, min_size=1, max_size=3),
)


@st.composite
def stories(draw):
    """Arrivals (few documents, many ways), and an order in which they come, some of them again."""
    known = draw(st.lists(documents, min_size=2, max_size=3))
    chosen = draw(
        st.lists(
            st.tuples(st.sampled_from(known), st.sampled_from(sorted(WAYS)), st.integers(0, 2)), min_size=1, max_size=6
        )
    )
    order = draw(
        st.permutations(list(range(len(chosen))) + draw(st.lists(st.integers(0, len(chosen) - 1), max_size=3)))
    )
    return chosen, order, draw(st.integers(1, 4))


def arrivals_of(chosen, domain):
    """One for each, under ids and at times that belong to it, whenever it comes."""
    made = []
    for number, (body, way, hour) in enumerate(chosen):
        channel, media_type, _ = WAYS[way]
        facts = {
            "channel": channel,
            "arrival_id": f"{way}-{number}",
            "received_at": DAY + HOUR * (30 + hour),
            "media_type": media_type,
        }
        made.append(arrival(body, domain, **facts))
    return made


def clamp(number):
    return min(number, MAX_COUNT)


class Oracle:
    """What the tables should hold, worked out the slow way from all arrivals at once."""

    def __init__(self, made, chosen):
        self.best, self.copies, self.own = {}, Counter(), {}
        for one, (body, way, _) in zip(made, chosen, strict=True):
            (report,) = parse.reports(body)
            for name in NAMES:
                mine = tuple(each for each in report.policies if each.policy_domain == name)
                if mine:
                    part = type(report)(
                        report.organization_name, report.contact_info, report.report_id, report.start, report.end, mine
                    )
                    self._claim((name, content(part)), part, one, WAYS[way])
        groups = defaultdict(list)
        for key in self.best:
            groups[self._identity(key)].append((sum(self.sessions(self.own[key])), key[1], key))
        self.counted = {max(group)[2] for group in groups.values()}

    def _claim(self, key, part, one, way):
        channel, _, trust = way
        claim = (trust.rank, one.received_at, one.id, channel, trust)
        self.copies[key] += 1
        self.own[key] = part
        self.best[key] = min(self.best.get(key, claim), claim)

    def _identity(self, key):
        part, (_, _, _, channel, trust) = self.own[key], self.best[key]
        source = "vouched" if trust in (Trust.DKIM, Trust.OPERATOR) else channel
        return key[0], source, part.submitter, part.start, part.end, part.report_id

    @staticmethod
    def sessions(part):
        """(successful, failed) of all sessions."""
        sums = defaultdict(lambda: [0, 0])
        for one in part.policies:
            sums[one.policy_type][0] += one.successful_session_count
            sums[one.policy_type][1] += one.failed_session_count
        same = [sums.pop(one) for one in ("sts", "tlsa") if one in sums]
        failed = max((bad for _, bad in same), default=0)
        whole = max((sum(pair) for pair in same), default=0)
        good = whole - failed + sum(good for good, _ in sums.values())
        return clamp(good), clamp(failed + sum(bad for _, bad in sums.values()))

    def reports(self):
        return {
            (
                *key,
                trust.value,
                channel,
                at,
                arrival_id,
                key in self.counted,
                self.copies[key],
                *self.sessions(self.own[key]),
            )
            for key, (_, at, arrival_id, channel, trust) in self.best.items()
        }

    def totals(self):
        sums = defaultdict(lambda: [0, 0, 0])
        for key in self.counted:
            part, trust = self.own[key], self.best[key][4]
            above = (key[0], part.start.date(), trust.value, part.submitter)
            told = {("", "", ""): list(self.sessions(part))}
            for one in part.policies:
                pair = told.setdefault((one.policy_type or "-", "", ""), [0, 0])
                pair[0] += one.successful_session_count
                pair[1] += one.failed_session_count
                for each in one.failure_details:
                    mx = each.receiving_mx_hostname.lower().rstrip(".")
                    told.setdefault((one.policy_type or "-", each.result_type or "-", mx), [0, 0])[1] += (
                        each.failed_session_count
                    )
            for below, (good, bad) in told.items():
                for at, count in enumerate((good, bad, 1)):
                    sums[(*above, *below)][at] += count
        return {(*key, clamp(good), clamp(bad), reports) for key, (good, bad, reports) in sums.items()}


def reports_there():
    columns = ("domain__name", "content", "trust", "channel", "received_at", "raw__arrival_id", "counted", "copies")
    rows = Report.objects.everywhere().values_list(*columns, "successful_session_count", "failed_session_count")
    return {(*row[:4], row[4].timestamp(), *row[5:]) for row in rows}


def totals_there():
    columns = ("domain__name", "day", "trust", "submitter", "policy_type", "result_type", "mx")
    counted = ("successful_session_count", "failed_session_count", "reports")
    rows = list(DailyTotal.objects.everywhere().values_list(*columns, *counted))
    assert len(set(rows)) == len(rows)
    return set(rows)


def rows_below():
    """Policies and details, without keys: they are those of the reports, however they came there."""
    policies = PolicyRow.objects.everywhere().values_list(
        "report__content", "position", "policy_type", "failed_session_count", "detailed_session_count"
    )
    failures = FailureRow.objects.everywhere().values_list(
        "report__content", "policy__position", "result_type", "failed_session_count", "submitter"
    )
    return sorted(policies), sorted(failures)


def forget():
    for model in (RawReport, Report, DailyTotal):
        model.objects.everywhere().delete()


class TestLaw:
    """RELIABILITY: totals are independent of order and repeats; mixed trust and conflicts included."""

    @pytest.fixture(autouse=True)
    def _both(self, domain, theirs):
        self.domain = domain
        announced(theirs, "outro.example")

    @given(story=stories())
    @settings(
        max_examples=50,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    def test_rows_and_totals_are_those_of_the_oracle(self, story):
        chosen, order, size = story
        forget()
        made = arrivals_of(chosen, self.domain)
        for start in range(0, len(order), size):
            batch = [made[at] for at in order[start : start + size]]
            signed = [one for one in batch if one.id.startswith("dkim")]
            digested(*signed, signers=("google.com", "outlook.example"))
            digested(*[one for one in batch if one not in signed], signers=())
        oracle = Oracle(made, chosen)
        assert reports_there() == oracle.reports()
        assert totals_there() == oracle.totals()
        policies, failures = rows_below()
        assert len(policies) == sum(len(part.policies) for part in oracle.own.values())
        assert len(failures) == sum(len(one.failure_details) for part in oracle.own.values() for one in part.policies)

    def test_a_forged_report_never_displaces_a_signed_one(self):
        true = document("google.com", "1", [policy(successful=5, failed=1)])
        forged = document("google.com", "1", [policy(successful=999_999, failed=999_999)])
        digested(arrival(forged, self.domain), arrival(forged, self.domain, channel=Channel.HTTPS), signers=())
        digested(arrival(true, self.domain))
        counted = (
            Report.objects.everywhere().filter(trust=Trust.DKIM).values_list("counted", "successful_session_count")
        )
        assert list(counted) == [(True, 5)]
        assert json.loads(json.dumps(sorted(row[2:4] + row[-3:] for row in totals_there() if row[2] == "dkim"))) == [
            ["dkim", "google.com", 5, 1, 1],
            ["dkim", "google.com", 5, 1, 1],
        ]
