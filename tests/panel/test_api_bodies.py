"""What the API takes: bodies, conditions and cursors, read strictly."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils import timezone
from tests import support_panel

from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.api import bodies, conditions, pages
from trinco.panel.api.bodies import LARGEST, MOST_OCTETS, parsed
from trinco.panel.api.pages import NEWEST, Order
from trinco.panel.api.problems import Problem
from trinco.panel.domains.models import HostedDomain


def fault(octets: bytes) -> tuple[int, str]:
    """The status and the place that the problem names."""
    with pytest.raises(Problem) as caught:
        parsed(octets)
    return int(caught.value.kind.status), caught.value.more.get("errors", [{}])[0].get("pointer", "-")


class Counted(str):
    """A name that counts how often it is held against another."""

    __slots__ = ()
    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Counted.compared += 1
        return str.__eq__(self, str(other))


class TestBodies:
    """Issue 5, bad input: what is ambiguous, or what a database refuses, is an error and never a 500."""

    def test_what_is_taken(self) -> None:
        assert parsed('{"a": [1, {"b": "é"}], "c": null}'.encode()) == {"a": [1, {"b": "é"}], "c": None}
        assert parsed(b'{"n": %d}' % LARGEST) == {"n": LARGEST}

    @pytest.mark.parametrize(
        ("octets", "place"),
        [
            (b"", ""),
            (b"[]", ""),
            (b'"text"', ""),
            (b"{", ""),
            (b'{"a": 1, "a": 2}', "/a"),
            (b'{"a": NaN}', ""),
            (b'{"a": 1e400}', ""),
            (b'{"a": 9007199254740992}', ""),
            (b'{"a": ' + b"9" * 5000 + b"}", ""),
            (b'{"a": "\\u0000"}', "/a"),
            (b'{"a\\u0000": 1}', ""),
            (b'{"a": ["x", "\\ud800"]}', "/a/1"),
            (b'{"a": "\xff"}', ""),
            (b"\xef\xbb\xbf{}", ""),
            (b'{"a/b~": {"c": "\\u0000"}}', "/a~1b~0/c"),
            (b'{"a": ' + b"[" * 20 + b"]" * 20 + b"}", "/a" + "/0" * 15),
            (b'{"a": ' + b"[" * 200_000 + b"]" * 200_000 + b"}", ""),
        ],
    )
    def test_what_is_not(self, octets: bytes, place: str) -> None:
        assert fault(octets) == (422, place)

    def test_each_name_is_looked_at_once(self) -> None:
        """A hundred thousand names are no more work than so many names."""
        names = [Counted(f"a{number}") for number in range(100_000)]
        with pytest.raises(Problem) as caught:
            bodies._object([(name, 1) for name in [*names, Counted("a99999")]])
        assert caught.value.more["errors"][0]["pointer"] == "/a99999"
        assert Counted.compared < 1000

    def test_what_is_too_large(self) -> None:
        assert fault(b" " * (MOST_OCTETS + 1)) == (413, "-")


def matched(current: str | None, **headers: str) -> bool | int:
    request = RequestFactory().get("/", headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        return conditions.require_match(request, current)
    except Problem as problem:
        return int(problem.kind.status)


class TestConditions:
    """RFC 9110, section 13.1.1: If-Match compares strongly, `*` is for what is there; 13.1.2: If-None-Match."""

    @pytest.mark.parametrize(
        ("text", "answer"),
        [
            ('"3"', True),
            ('"1", "3"', True),
            ('W/"3"', 412),
            ('"2"', 412),
            ("*", False),
            ("3", 400),
            ('"3', 400),
            ("", 400),
            ('"3" "4"', 400),
            ('*, "3"', 400),
        ],
    )
    def test_if_match(self, text: str, answer: bool | int) -> None:
        assert matched('"3"', If_Match=text) is answer or matched('"3"', If_Match=text) == answer

    def test_nothing_matches_what_is_not_there(self) -> None:
        assert (matched(None, If_Match="*"), matched(None, If_Match='"1"')) == (412, 412)

    def test_the_first(self) -> None:
        assert matched(None, If_None_Match="*") is False
        assert [matched('"3"', If_None_Match=text) for text in ("*", '"3"', 'W/"3"', '"4"')] == [412, 412, 412, False]

    def test_who_comes_too_late_is_told_what_is_there(self) -> None:
        request = RequestFactory().get("/", headers={"If-Match": '"2"'})
        with pytest.raises(Problem) as caught:
            conditions.require_match(request, '"3"')
        assert caught.value.headers == {"ETag": '"3"'}

    def test_none_at_all(self) -> None:
        assert (matched('"3"'), matched(None)) == (428, 428)


def page(rows: Any, order: Order, cursor: str | None = None) -> pages.Page[Any]:
    return pages.page_of(
        RequestFactory().get("/", {"limit": "2", **({"cursor": cursor} if cursor else {})}), rows, order
    )


def walked(rows: Any, order: Order) -> list[Any]:
    found, cursor = [], None
    while True:
        part = page(rows, order, cursor)
        found, cursor = [*found, *part.rows], part.next
        if cursor is None:
            return found


class TestPages:
    """UX: cursor paging. No row comes twice, and none that was there is left out."""

    def test_every_row_once(self, ours: Organisation) -> None:
        for name in ("c.example", "a.example", "e.example", "b.example", "d.example"):
            support_panel.hosted(ours, name)
        rows = HostedDomain.objects.of(ours)
        assert [row.name[0] for row in walked(rows, pages.BY_NAME)] == list("abcde")
        assert [row.name[0] for row in walked(rows, NEWEST)] == list("dbeac")
        assert [row.name[0] for row in walked(rows, Order((("level", int), ("name", str))))] == list("abcde")

    def test_by_time(self, ours: Organisation) -> None:
        moment = timezone.now()
        for number in range(5):
            support_panel.hosted(ours, f"a{number}.example")
        log = AuditEntry.objects.of(ours)
        found = walked(log, Order((("at", type(moment)), ("pk", int)), down=True))
        assert [line.pk for line in found] == list(log.order_by("-at", "-pk").values_list("pk", flat=True))

    @pytest.mark.parametrize("values", [[], [1], ["a"], ["a", "1"], ["a", -1], ["a", 1 << 63], ["a", True], ["a\0", 1], ["a" * 999, 1], {"a": 1}, 7, [["a"], 1], "ab"])  # fmt: skip
    def test_a_cursor_that_nobody_gave_out(self, ours: Organisation, values: Any) -> None:
        cursor = base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")
        with pytest.raises(Problem) as caught:
            page(HostedDomain.objects.of(ours), pages.BY_NAME, cursor)
        assert (caught.value.kind.status, caught.value.more) == (400, {"parameter": "cursor"})

    @pytest.mark.parametrize(
        "moment", ["2026-11-24T00:00:00+01:00", "0001-01-01T00:00:00+23:59", "2026-11-24T00:00:00"]
    )
    def test_a_moment_is_in_utc(self, ours: Organisation, moment: str) -> None:
        """With another offset it may lie where no database counts any more."""
        cursor = base64.urlsafe_b64encode(json.dumps([moment, 1]).encode()).decode().rstrip("=")
        with pytest.raises(Problem) as caught:
            page(AuditEntry.objects.of(ours), Order((("at", datetime), ("pk", int)), down=True), cursor)
        assert (caught.value.kind.status, caught.value.more) == (400, {"parameter": "cursor"})
