"""CAA record sets, judged."""

from __future__ import annotations

import dataclasses

import pytest
from django.conf import settings

from trinco.panel.checks.caa import Issuers, Property, issuers, parse, permits

ACCOUNT = "https://ca.example.net/acct/Aa1"
OURS = Issuers(frozenset({"ca.example.net", "ca2.example.net"}), ours_decides=False, accounts=frozenset({ACCOUNT}))


class TestPermits:
    """RFC 8659 section 4: with an `issue` property in the set, one of them must name the issuer; RFC 8657: its way as well."""

    @pytest.mark.parametrize(
        "values",
        [
            ('0 issue "ca.example.net"',),
            ('0 issue "CA.Example.NET"',),
            ('0 ISSUE " ca.example.net "',),
            ('0 issue "other.example"', '0 issue "ca2.example.net"'),
            ('0 issue "ca.example.net; policy=ev"',),
            ('0 issue "ca.example.net; validationmethods=dns-01,http-01"',),
            (f'0 issue "ca.example.net; accounturi={ACCOUNT}; validationmethods=http-01"',),
            ('0 issue "ca.example.net; accounturi=https://ca.example.net/acct/2"', '0 issue "ca2.example.net"'),
            ('0 issuewild ";"',),
            ('0 iodef "mailto:security@a.example"',),
            ('128 issue "ca.example.net"',),
            ('0 unheardof "x"',),
        ],
    )
    def test_permitted(self, values):
        assert permits(values, OURS)

    @pytest.mark.parametrize(
        "values",
        [
            ('0 issue ";"',),
            ('0 issue ""',),
            ('0 issue "other.example"',),
            ('0 issue "other.example"', '0 issuewild "ca.example.net"'),
            ('0 issue "ca.example.net.evil.example"',),
            ('0 issue "ca.example.net; validationmethods=dns-01"',),
            ('0 issue "ca.example.net; accounturi=https://ca.example.net/acct/2"',),
            (f'0 issue "ca.example.net; accounturi={ACCOUNT.lower()}"',),
            (f'0 issue "ca.example.net; accounturi={ACCOUNT}; accounturi={ACCOUNT}"',),
            (f'0 issue "ca.example.net; accounturi={ACCOUNT}; validationmethods=dns-01"',),
            ('0 issue "ca.example.net; accounturi"',),
            ('0 issue "ca.example.net"', '128 unheardof "x"'),
            ("nonsense",),
        ],
    )
    def test_forbidden(self, values):
        assert not permits(values, OURS)


class TestParse:
    def test_parameters(self):
        expected = Property(
            False, "issue", "ca.example.net", {"accounturi": "https://ca/1", "validationmethods": "http-01"}
        )
        assert parse('0 issue "ca.example.net; accounturi=https://ca/1; validationmethods=HTTP-01"') == expected

    @pytest.mark.parametrize("value", ["", "0 issue", 'x issue "a"', '0 is-sue "a"', '0 issue "a'])
    def test_what_is_no_record(self, value):
        assert parse(value) is None


class TestIssuers:
    """The authority is the one that our own targets name; the development CA goes by the name of our zone."""

    def test_named_by_the_setting(self):
        config = dataclasses.replace(
            settings.CONFIG, caa=("letsencrypt.org; validationmethods=http-01", "Other.example")
        )
        assert issuers(config) == Issuers(frozenset({"letsencrypt.org", "other.example"}), ours_decides=True)

    def test_the_development_ca(self):
        config = dataclasses.replace(settings.CONFIG, caa=())
        assert issuers(config) == Issuers(frozenset({"trinco.example"}), ours_decides=False)
