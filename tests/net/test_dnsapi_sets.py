"""Providers that keep the records of a name as one: what is not ours stays, by the library's own code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests

from trinco.net import dnsapi
from trinco.net.dnsapi import ApiBook
from trinco.net.dnstexts import TextState, WantedText, keep
from trinco.net.dnswriting import Found, State, Trouble, Wanted, WritingFailed, write

ZONE = "correio.example"
NAME = f"_mta-sts.{ZONE}"
OLD, NEW, OTHER = "v=STSv1; id=old;", "v=STSv1; id=new;", "other=keep"
WANTED = WantedText(NAME, NEW, "v=STSv1", "l1.mta-sts.trinco.example")
NO_TEXT = WantedText(NAME, "", "v=STSv1", "l1.mta-sts.trinco.example")


class Sets:
    """What stands at the name, as one set of each type, behind the requests of one provider of the library."""

    def __init__(self, *texts: str) -> None:
        self.sets: dict[str, list[str]] = {"TXT": list(texts)}
        self.written = 0

    def put(self, rtype: str, values: list[str]) -> dict[str, Any]:
        self.written += 1
        self.sets[rtype] = values
        return {}

    def gone(self, rtype: str) -> dict[str, Any]:
        if not self.sets.get(rtype):
            raise ValueError("there is none")
        return self.put(rtype, [])

    def held(self) -> list[tuple[str, str]]:
        return [(rtype, value.strip('"')) for rtype, values in self.sets.items() for value in values]


def none() -> Any:
    """As the library's own client has it."""
    response = requests.Response()
    response.status_code = 404
    raise requests.HTTPError(response=response)


def gandi(sets: Sets) -> Any:
    def asked(action: str = "GET", url: str = "/", data: Any = None, query_params: Any = None) -> Any:
        rtype = url.rsplit("/", 1)[1]
        if action == "DELETE":  # of a name: whatever stands there
            return [sets.gone(each) for each in (list(sets.sets) if rtype == "_mta-sts" else [rtype])]
        if action != "GET":
            return sets.put(rtype, [value.strip('"') for value in data["rrset_values"]])
        rows = [(kind, [f'"{value}"' for value in values]) for kind, values in sets.sets.items() if values]
        told = [{"rrset_name": "_mta-sts", "rrset_type": k, "rrset_ttl": 300, "rrset_values": v} for k, v in rows]
        if not rtype.isupper():
            return told
        return next((each for each in told if each["rrset_type"] == rtype), None) or none()

    return there("gandi", asked, auth_token="t" * 40, api_protocol="rest")


def nsone(sets: Sets) -> Any:
    def asked(action: str = "GET", url: str = "/", data: Any = None, query_params: Any = None) -> Any:
        if action == "DELETE":
            return sets.gone(url.rsplit("/", 1)[1])
        if action != "GET":
            return sets.put(url.rsplit("/", 1)[1], [each["answer"][0] for each in data["answers"]])
        rows = [(kind, values) for kind, values in sets.sets.items() if values]
        if url == f"/zones/{ZONE}":
            return {"records": [{"domain": NAME, "type": k, "ttl": 300, "short_answers": v} for k, v in rows]}
        rtype = url.rsplit("/", 1)[1]
        answers = [{"answer": [value]} for value in sets.sets.get(rtype) or none()]
        return {"type": rtype, "domain": NAME, "ttl": 300, "answers": answers}

    return there("nsone", asked, auth_token="t")


def misaka(sets: Sets) -> Any:
    def asked(action: str = "GET", url: str = "/", data: Any = None, query_params: Any = None) -> Any:
        rtype = url.rsplit("/", 1)[1]
        if action == "DELETE":
            return sets.gone(rtype)
        if action != "GET":
            return sets.put(rtype, [each["value"] for each in data["records"]])
        rows = {kind: [{"value": value} for value in values] for kind, values in sets.sets.items() if values}
        if rtype == "recordsets":
            return {"results": [{"name": "_mta-sts", "type": k, "ttl": 300, "records": v} for k, v in rows.items()]}
        return {"ttl": 300, "filters": [], "records": rows.get(rtype, [])}

    return there("misaka", asked, auth_token="t")


def yandexcloud(sets: Sets) -> Any:
    def asked(action: str = "GET", url: str = "/", data: Any = None, query_params: Any = None) -> Any:
        if action == "POST":
            for each in data.get("deletions", ()):
                sets.gone(each["type"])
            for each in data.get("replacements", ()):
                sets.put(each["type"], list(each["data"]))
            return {"done": True}
        rows = [(kind, list(values)) for kind, values in sets.sets.items() if values]
        named = [{"name": f"{NAME}.", "type": kind, "ttl": 300, "data": values} for kind, values in rows]
        if url.endswith(":listRecordSets"):
            return {"recordSets": named}
        return next((each for each in named if each["type"] == query_params["type"]), {"data": []} | named[0])

    return there("yandexcloud", asked, auth_token="t")


def there(name: str, asked: Callable[..., Any], **credentials: str) -> Any:
    provider = dnsapi._there(name, ZONE, credentials)
    provider.domain_id = ZONE
    provider._request = asked
    return provider


def book(provider: Any) -> ApiBook:
    return ApiBook(provider, ZONE, ())


class TestTogether:
    """With one identifier for all, an update or a deletion would take the others along: nothing is done."""

    @pytest.mark.parametrize("make", [gandi, nsone, misaka])
    @pytest.mark.parametrize("wanted", [WANTED, NO_TEXT])
    def test_others_stay(self, make: Any, wanted: WantedText) -> None:
        sets = Sets(OLD, OTHER)
        with pytest.raises(WritingFailed) as caught:
            keep(book(make(sets)), [wanted])
        assert (caught.value.trouble, caught.value.said) == (Trouble.TOGETHER, "")
        assert (sets.held(), sets.written) == ([("TXT", OLD), ("TXT", OTHER)], 0)

    @pytest.mark.parametrize("make", [gandi, nsone, misaka])
    def test_alone_ours_goes(self, make: Any) -> None:
        sets = Sets(OLD)
        assert [place.state for place in keep(book(make(sets)), [NO_TEXT])] == [TextState.RIGHT]
        assert sets.held() == []

    def test_where_each_has_its_own_ours_alone_is_changed(self) -> None:
        sets = Sets(OLD, OTHER)
        assert [place.state for place in keep(book(yandexcloud(sets)), [WANTED])] == [TextState.RIGHT]
        assert sorted(sets.held()) == [("TXT", OTHER), ("TXT", NEW)]

    def test_the_library_would_write_the_old_one_again(self) -> None:
        """Why it is not asked to change a text in place there."""
        sets = Sets(OLD)
        provider = yandexcloud(sets)
        provider.update_record(provider.list_records("TXT", NAME)[0]["id"], "TXT", NAME, NEW)
        assert sets.held() == [("TXT", OLD)]

    @pytest.mark.parametrize("make", [gandi, nsone, misaka])
    def test_what_was_confirmed_goes_one_by_one(self, make: Any) -> None:
        """The CNAME in place of all that stands there: each by its content, since the identifier goes with the first."""
        sets = Sets(OLD, OTHER)
        there = book(make(sets))
        instead = there.at(NAME)
        assert {each.content for each in instead} == {OLD, OTHER}
        there.put(Wanted(NAME, "l1.mta-sts.trinco.example"), instead)
        assert sets.held() == [("CNAME", "l1.mta-sts.trinco.example.")]

    def test_without_confirmation_nothing_goes(self) -> None:
        sets = Sets(OLD, OTHER)
        assert [place.state for place in write(book(misaka(sets)), [Wanted(NAME, "l1.example")])] == [State.TAKEN]
        assert sets.written == 0


class TestIdentifiers:
    @pytest.mark.parametrize("identifier", [None, ""])
    def test_none_is_none(self, identifier: str | None) -> None:
        """Hetzner's sets have no identifiers, and the library says so by None."""
        provider = gandi(Sets())
        provider.list_records = lambda *_: [{"id": identifier, "name": NAME, "type": "TXT", "content": OLD}] * 2
        assert [each.identifier for each in book(provider).at(NAME)] == ["", ""]
        assert not dnsapi._shared((Found("TXT", OLD), Found("TXT", OTHER)))


class TestFields:
    """A stranger gives credentials and says for which zone, and nothing by which we wait or dial."""

    def test_no_others(self) -> None:
        fields = {name for some in dnsapi.providers().values() for name in some}
        rest = {name for name in fields if not name.startswith("auth_")}
        known = {"api_key", "api_protocol", "cloud_id", "dns_zone_id", "folder_id", "resource_group", "zone_id"}
        assert (rest, "auth_sandbox" in fields) == (known, False)
        assert all(dnsapi.providers().values())

    def test_what_is_left_out(self) -> None:
        assert not {"duckdns", "rackspace", "zonomi"} & set(dnsapi.providers())
