"""Tags in the file of `trinco apply`: what it says of a domain is all that it has."""

from __future__ import annotations

import pytest
from tests import support_panel
from tests.support_apply import apply, exported, row

from trinco.panel.accounts.models import Organisation
from trinco.panel.declared.errors import DeclarationSyntaxError
from trinco.panel.declared.reading import read
from trinco.panel.domains import tags

HEAD = "version: 1\norganisations:\n  ana@example.com:\n    domains:\n      a.example: "


def put(owner: Organisation, *names: str) -> None:
    domain = support_panel.hosted(owner, "a.example")
    tags.put_on(organisation=owner, domains=[domain], names=names, actor=support_panel.ANA)


class TestTags:
    """`apply` of the exported file recreates the same state; applied twice it changes nothing."""

    def test_there_and_back(self, ours: Organisation) -> None:
        put(ours, "Região Norte", "gov", "yes", "- x: #")
        text = exported()
        assert '        tags:\n          - "- x: #"\n          - "gov"\n' in text
        tags.set_tags(domain=row("a.example"), names=["other"], actor=support_panel.ANA)
        assert "tags: other -> - x: #, gov, Região Norte, yes" in apply(text)[1]
        assert exported() == text
        assert "tags" not in apply(text)[1]

    def test_what_is_not_said_stays(self, ours: Organisation) -> None:
        put(ours, "gov")
        apply(HEAD + "{}")
        assert tags.names_of(row("a.example")) == ["gov"]
        apply(HEAD + "{tags: []}")
        assert tags.names_of(row("a.example")) == []

    def test_on_a_new_domain(self, ours: Organisation) -> None:
        apply(HEAD + "{tags: [North, NORTH, gov]}")
        assert tags.names_of(row("a.example")) == ["gov", "North"]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{tags: gov}", "tags is a list, one tag to an item"),
            ('{tags: ["a,b"]}', '"a,b": contains ,, which parts the tags of a list'),
            (f"{{tags: [{', '.join(f't{n}' for n in range(101))}]}}", "more than 100 tags"),
        ],
    )
    def test_what_is_wrong(self, text: str, told: str) -> None:
        with pytest.raises(DeclarationSyntaxError) as caught:
            read((HEAD + text).encode())
        assert [(each.line, each.reason) for each in caught.value.problems] == [(5, told)]

    def test_more_than_there_may_be_is_named(self, ours: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tags, "MOST", 1)
        code, _out, err = apply(HEAD + "{tags: [a, b]}")
        assert (code, "an organisation has 100 tags at most" in err) == (2, True)
