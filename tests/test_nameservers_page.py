"""docs/nameservers.md shows what the tests run: each line of its configurations is in theirs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bench import secondaries
from tests.support import needs

from trinco import config

PAGE = (Path(__file__).parents[1] / "docs" / "nameservers.md").read_text(encoding="utf-8")
PRIMARY = secondaries.Primary("trinco.example", (("127.0.0.1", 5353),))
HERE = {"203.0.113.1@53": "127.0.0.1@5353", "203.0.113.1": "127.0.0.1", "THE BASE 64 BEHIND trinco:": PRIMARY.secret}


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.mark.parametrize(("language", "program"), [("nsd", "nsd"), ("knot", "knotd")])
def test_the_configuration_is_what_the_tests_run(language: str, program: str, tmp_path: Path) -> None:
    needs(program)
    getattr(secondaries, language)(tmp_path, PRIMARY)
    ran = (tmp_path / f"{language}.conf").read_text().splitlines()
    shown = block(language)
    for there, here in HERE.items():
        shown = shown.replace(there, here)
    assert [line for line in shown.splitlines() if line not in ran] == []


def test_the_settings_load(tmp_path: Path) -> None:
    settings = dict(re.findall(r"^(TRINCO_\w+)=\"?(.*?)\"?$", PAGE, re.MULTILINE))
    key = tmp_path / "tsig.key"
    key.write_text(f"trinco:{PRIMARY.secret}")
    loaded = config.load({**settings, "TRINCO_TSIG_KEY_FILE": str(key)})
    assert loaded.secondaries == (("192.0.2.53", 53), ("198.51.100.53", 53))
    assert [server.addresses for server in loaded.nameservers] == [("192.0.2.53",), ("198.51.100.53",)]
    assert loaded.tsig_key is not None
