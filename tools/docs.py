"""`make docs`: the pages of docs/ that follow from the code: settings, commands, errors, conformance,
operations of the API.

    python -m tools.docs            write them
    python -m tools.docs --check    say which ones are behind; exit 1 if any is

`tests/test_docs.py` holds the pages against this, so that none can fall behind.
"""

from __future__ import annotations

import ast
import csv
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.operations import operations

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "trinco"
GENERATED = "<!-- Written by `make docs` from the code: change it there. -->\n"
SECTIONS = ROOT / "rfc" / "index.tsv"
SETTINGS_HEAD = """# Settings

Every setting is an environment variable, read once at the start. An unknown `TRINCO_` variable or a value that does not
parse refuses to start and says which. A secret may stand in a file instead: add `_FILE` to the variable's name and give
the file's path.

| variable | default | what it is |
|---|---|---|
"""
COMMANDS_HEAD = """# Commands

Exit codes of every command: 0 clean, 1 a finding or a negative verdict, 2 wrong use, 3 could not test.
"""
ERRORS_HEAD = """# Errors

Whoever calls Trinco's Python catches `TrincoError` and nothing else. The result type is the word of RFC 8460 section
4.3 that a sender reports for this failure.

| error | is a | where | result type | what happened |
|---|---|---|---|---|
"""
CONFORMANCE_HEAD = """# Conformance

What the standards ask of a publisher of MTA-STS policies and of a receiver of TLS reports, in our own words; the module
that does it, and the test that shows it.
"""
COLUMNS = ("section", "requirement", "module", "test", "done")


def pages() -> dict[Path, str]:
    """Every generated page by its path, as it should be."""
    made: dict[str, Callable[[], str]] = {
        "settings": settings,
        "commands": commands,
        "errors": errors,
        "conformance": conformance,
        "operations": operations,
    }
    return {ROOT / "docs" / f"{name}.md": GENERATED + make() for name, make in made.items()}


# --- settings --------------------------------------------------------------------------------------------------------


def settings() -> str:
    """One line per setting of `trinco.config`."""
    from trinco.config import SETTINGS  # noqa: PLC0415 - the other pages do not need the package

    rows = (
        f"| `{each.variable}`{', or `' + each.variable + '_FILE`' if each.secret else ''} "
        f"| {'`' + each.default + '`' if each.default else '-'} | {cell(each.help)} |\n"
        for each in SETTINGS
    )
    return SETTINGS_HEAD + "".join(rows)


def cell(text: str) -> str:
    """A text for a cell of a Markdown table: angle brackets would be taken for HTML."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace(">", "&gt;")


# --- commands --------------------------------------------------------------------------------------------------------


def commands() -> str:
    """The help of every command, as `trinco COMMAND --help` says it."""
    return COMMANDS_HEAD + "".join(
        f"\n## `{name}`\n\n```\n{command_help(name, command)}\n```\n" for name, command in leaves()
    )


def leaves() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name."""
    import typer.main  # noqa: PLC0415

    from trinco.cli.main import app  # noqa: PLC0415 - this loads Django

    yield from _below("trinco", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "list_commands"):
        yield name, command
        return
    context = command.make_context(name, [], resilient_parsing=True)
    for sub in command.list_commands(context):
        yield from _below(f"{name} {sub}", command.get_command(context, sub))


def command_help(name: str, command: Any) -> str:
    """The help text at 100 columns, without trailing blanks."""
    context = command.make_context(name, [], resilient_parsing=True, terminal_width=100, max_content_width=100)
    return "\n".join(line.rstrip() for line in command.get_help(context).strip().splitlines())


# --- errors ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ErrorClass:
    """A class of the error tree, as it stands in the source."""

    name: str
    bases: tuple[str, ...]
    module: str
    says: str
    result_type: str = ""


def errors() -> str:
    """The error tree, each class with what it says of itself."""
    rows = (
        f"| `{each.name}` | {', '.join(f'`{base}`' for base in each.bases)} | `{each.module}` "
        f"| {f'`{each.result_type}`' if each.result_type else '-'} | {cell(each.says)} |\n"
        for each in sorted(error_classes(), key=lambda each: (each.module, each.name))
    )
    return ERRORS_HEAD + "".join(rows)


def error_classes() -> list[ErrorClass]:
    """Every class below TrincoError, found in the source without importing it."""
    found = [each for path in sorted(SOURCE.rglob("*.py")) for each in _classes(path)]
    known = {"TrincoError"}
    while grown := {each.name for each in found if known & set(each.bases)} - known:
        known |= grown
    return [each for each in found if each.name == "TrincoError" or known & set(each.bases)]


def _classes(path: Path) -> Iterator[ErrorClass]:
    module = ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ClassDef):
            bases = tuple(ast.unparse(base).rpartition(".")[2] for base in node.bases)
            says = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
            yield ErrorClass(node.name, bases, module, says, _result_type(node))


def _result_type(node: ast.ClassDef) -> str:
    """What an error class says of itself; a model's column of that name is something else."""
    for statement in node.body:
        named = isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "result_type"
        if named and isinstance(statement.value, ast.Constant):
            return str(statement.value.value)
    return ""


# --- conformance -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Requirement:
    """A row of rfc/index.tsv: what a standard asks, where it is done, and which test shows it."""

    section: str
    requirement: str
    module: str
    test: str
    done: str


def requirements() -> list[Requirement]:
    """The rows in their order. Lines that begin with `#` are remarks."""
    if not SECTIONS.exists():
        return []
    lines = [line for line in SECTIONS.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [Requirement(*(field.strip() for field in row)) for row in rows if tuple(row) != COLUMNS]


def conformance() -> str:
    """The index as a page, one table per standard."""
    tables: dict[str, list[Requirement]] = {}
    for each in requirements():
        tables.setdefault(" ".join(each.section.split()[:2]), []).append(each)
    return CONFORMANCE_HEAD + "".join(f"\n## {standard}\n\n{_table(rows)}" for standard, rows in tables.items())


def _table(rows: list[Requirement]) -> str:
    head = "| section | requirement | done | module | test |\n|---|---|---|---|---|\n"
    return head + "".join(
        f"| {row.section} | {cell(row.requirement)} | {row.done} | `{row.module}` | `{row.test}` |\n" for row in rows
    )


def main(arguments: list[str]) -> int:
    """Write the pages, or say which ones are behind."""
    with tempfile.TemporaryDirectory() as data:  # the commands load Django, which wants a data directory
        os.environ["TRINCO_DATA"] = data
        wanted = pages()
    behind = [path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in behind:
        sys.stdout.write(f"{path.relative_to(ROOT)} {'is behind: make docs' if arguments else 'written'}\n")
        if not arguments:
            path.parent.mkdir(exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if behind and arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
