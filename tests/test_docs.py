"""The documents say what the code does: each command, setting and error; each requirement of the standards."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from tools import docs

from trinco.config import SETTINGS
from trinco.panel.api.kinds import KINDS as PROBLEMS
from trinco.panel.api.v1 import api
from trinco.panel.reports.exports import KINDS

ROOT = docs.ROOT
ROWS = docs.requirements()
INFRASTRUCTURE = {
    "core": {
        "arrival",
        "dnshosts",
        "errors",
        "faults",
        "hosting",
        "mailhosts",
        "reasons",
        "records",
        "remarks",
        "tables",
        "tags",
    },
    "edge": {
        "batches",
        "carrier",
        "connection",
        "https",
        "generation",
        "guests",
        "keeper",
        "limits",
        "line",
        "listener",
        "metrics",
        "mmsg",
        "peers",
        "pipe",
        "plainhttp",
        "ports",
        "ratelimit",
        "sections",
        "serving",
        "shelf",
        "shortcut",
        "snapshot",
        "spoolfile",
        "status_host",
        "tally",
        "texts",
        "zonefile",
    },
    "net": {
        "acme_words",
        "asking",
        "certfile",
        "dialling",
        "dnsapi",
        "dnsbooks",
        "dnswriting",
        "guard",
        "posting",
        "reaching",
    },
}
"""Modules that no requirement of a standard is about: they carry those that are."""


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    return docs.pages()


class TestGenerated:
    @pytest.mark.parametrize("name", ["settings", "commands", "errors", "conformance"])
    def test_the_page_is_what_the_code_says(self, pages: dict[Path, str], name: str) -> None:
        """`make docs` writes them anew."""
        path = ROOT / "docs" / f"{name}.md"
        assert path.read_text(encoding="utf-8") == pages[path]

    def test_every_setting_is_there(self, pages: dict[Path, str]) -> None:
        text = pages[ROOT / "docs" / "settings.md"]
        assert [each.variable for each in SETTINGS if f"`{each.variable}`" not in text] == []

    def test_every_command_is_there_and_says_what_it_is_for(self, pages: dict[Path, str]) -> None:
        text = pages[ROOT / "docs" / "commands.md"]
        commands = dict(docs.leaves())
        assert [name for name in commands if f"## `{name}`" not in text] == []
        assert [name for name, command in commands.items() if not (command.help or "").strip()] == []
        assert {name.split()[1] for name in commands} >= {
            "serve",
            "panel",
            "edge",
            "worker",
            "doctor",
            "policy",
            "domain",
        }

    def test_every_error_says_what_happened(self) -> None:
        assert [each.name for each in docs.error_classes() if not each.says] == []


class TestApi:
    """docs/operations.md has each address and each parameter; docs/api.md is written by hand: each group, each table of
    the reports and each of its columns, each error is in it."""

    TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    LIST = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    HEAD = re.compile(r"^### `([A-Z]+ /api/v1.*)`$", re.MULTILINE)

    def test_every_address_has_its_part(self) -> None:
        described = api.get_openapi_schema()["paths"]
        heads = self.HEAD.findall(self.LIST)
        assert sorted(heads) == sorted(f"{verb.upper()} {path}" for path, verbs in described.items() for verb in verbs)
        assert set(self.HEAD.findall(self.TEXT)) <= set(heads)

    def test_every_group_is_explained(self) -> None:
        groups = {"/".join(path.split("/")[:4]) for path in api.get_openapi_schema()["paths"]}
        assert sorted(group for group in groups if f"{group}" not in self.TEXT) == []

    def test_every_parameter_is_there(self) -> None:
        operations = [each for verbs in api.get_openapi_schema()["paths"].values() for each in verbs.values()]
        names = {each["name"] for one in operations for each in one["parameters"] if each["in"] == "query"}
        assert sorted(name for name in names if f"`{name}`" not in self.TEXT + self.LIST) == []

    def test_every_column_is_there(self) -> None:
        columns = {name for kind in KINDS.values() for name in kind.columns}
        assert sorted(name for name in columns if f'"{name}"' not in self.TEXT) == []
        assert [kind for kind in KINDS if f"`{kind}`" not in self.TEXT] == []

    def test_every_error_is_there(self) -> None:
        """One row for each kind of problem, with its status, in the order of the table in the code."""
        rows = re.findall(r"^\| (\d{3}) \| `([a-z-]+)` \|", self.TEXT, re.MULTILINE)
        assert rows == [(str(int(kind.status)), kind.slug) for kind in PROBLEMS]


class TestConformance:
    """rfc/index.tsv against the code and the tests, both ways."""

    def test_there_is_an_index(self) -> None:
        assert len(ROWS) >= 40

    def test_every_row_is_complete(self) -> None:
        assert [row for row in ROWS if not (row.section and row.requirement and row.module)] == []
        assert {row.done for row in ROWS} <= {"Yes", "Partial", "No"}

    def test_every_section_names_a_standard(self) -> None:
        assert [row.section for row in ROWS if not re.fullmatch(r"RFC \d{4} [0-9A-Z][0-9A-Z.]*", row.section)] == []

    def test_every_module_exists(self) -> None:
        assert sorted({row.module for row in ROWS if not _source(row.module).exists()}) == []

    def test_every_test_exists(self) -> None:
        """A test is named as pytest names it: file::Class or file::Class::method."""
        assert sorted({row.test for row in ROWS if row.done != "No" and not _exists(row.test)}) == []

    def test_what_is_done_is_tested(self) -> None:
        assert [row for row in ROWS if row.done == "Yes" and not row.test] == []

    @pytest.mark.parametrize("room", sorted(INFRASTRUCTURE))
    def test_every_module_stands_for_a_requirement(self, room: str) -> None:
        named = {row.module for row in ROWS}
        modules = {
            ".".join(path.relative_to(ROOT / "src").with_suffix("").parts): path.stem
            for path in (ROOT / "src" / "trinco" / room).rglob("*.py")
            if path.stem != "__init__"
        }
        assert (
            sorted(name for name, stem in modules.items() if name not in named and stem not in INFRASTRUCTURE[room])
            == []
        )

    @pytest.mark.parametrize("room", sorted(INFRASTRUCTURE))
    def test_infrastructure_exists(self, room: str) -> None:
        stems = {path.stem for path in (ROOT / "src" / "trinco" / room).rglob("*.py")}
        assert INFRASTRUCTURE[room] - stems == set()


def _source(module: str) -> Path:
    path = ROOT / "src" / Path(*module.split("."))
    return path if path.is_dir() else path.with_suffix(".py")


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _exists(node: str) -> bool:
    """Whether a test node is there, looked up in the source without running it."""
    file, *names = node.partition("[")[0].split("::")
    path = ROOT / file
    if not path.is_file():
        return False
    body: list[ast.stmt] = _tree(path).body
    for name in names:
        found = [each for each in body if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)]
        match = next((each for each in found if each.name == name), None)
        if match is None:
            return False
        body = match.body
    return True
