"""What the edges know of the customers, and how a change becomes part of it."""

import msgspec
import pytest

from trinco.core import hosting
from trinco.core.hosting import Change, HostedDomain, NameServer, Publication, Zone, empty
from trinco.core.names import Domain

ZONE = Zone(Domain.parse("trinco.example"), (NameServer("ns1.trinco.example", ("192.0.2.1",)),), ("192.0.2.2",))
ONE = HostedDomain(Domain.parse("one.example"), "l1", 1, policy=b"p", policy_id="i")
TWO = HostedDomain(Domain.parse("two.example"), "l2", 2)


class TestHostedDomain:
    """RFC 8461 section 3.3: a policy is served at the host `mta-sts` in front of the policy domain."""

    def test_policy_host(self):
        assert ONE.policy_host == "mta-sts.one.example"

    def test_immutable(self):
        with pytest.raises(AttributeError):
            ONE.policy = b"other"


class TestRecords:
    """What a zone holds beside its records makes no other zone of it; every record does."""

    def test_each_field_is_one_or_the_other(self):
        differing = {
            **dict.fromkeys(ZONE.__struct_fields__, ("192.0.2.77",)),
            **dict.fromkeys(("ttl", "refresh", "retry", "expire", "negative_ttl"), 1),
            "base": Domain.parse("other.example"),
            "reports_certificate": hosting.Certificate(b"leaf", "c", b"key", 1),
        }
        others = {name: msgspec.structs.replace(ZONE, **{name: value}) for name, value in differing.items()}
        same = {name for name, other in others.items() if hosting.same_records(ZONE, other)}
        assert same == hosting.NOT_IN_DNS
        assert hosting.same_records(ZONE, ZONE)


class TestPublication:
    """A Publication is replaced as a whole: who still holds the older one sees nothing change."""

    def test_empty(self):
        assert empty(ZONE) == Publication(0, ZONE, {}, {})

    def test_changes_are_added_and_replaced(self):
        before = Publication(1, ZONE, {"l1": ONE}, {"a": (b"1",)})
        newer = msgspec.structs.replace(ONE, policy=b"q", revision=2)
        after = before.apply(Change(2, ZONE, (newer, TWO), chains={"b": (b"2",)}))
        assert after == Publication(2, ZONE, {"l1": newer, "l2": TWO}, {"a": (b"1",), "b": (b"2",)})
        assert before == Publication(1, ZONE, {"l1": ONE}, {"a": (b"1",)})

    def test_removed_labels(self):
        before = Publication(2, ZONE, {"l1": ONE, "l2": TWO})
        assert before.apply(Change(3, ZONE, removed=("l1", "never-there"))) == Publication(3, ZONE, {"l2": TWO})

    def test_whole_forgets_what_was_held(self):
        before = Publication(9, ZONE, {"l1": ONE}, {"a": (b"1",)})
        assert before.apply(Change(4, ZONE, (TWO,), whole=True)) == Publication(4, ZONE, {"l2": TWO}, {})


class TestOwnHosts:
    """The reports host, and those of its mail hosts that lie in the zone."""

    def test_without_reports_there_is_none(self):
        assert ZONE.own_hosts == ()

    def test_the_reports_host_comes_first_and_once(self):
        mail = ("mx2.trinco.example", "mx.example.net", "r.trinco.example", "trinco.example", "xtrinco.example")
        zone = msgspec.structs.replace(ZONE, reports_host="r.trinco.example", reports_mx=tuple(enumerate(mail)))
        assert zone.own_hosts == ("r.trinco.example", "mx2.trinco.example", "trinco.example")
