"""The house's own rules, held against every file that git knows: sizes, words, addresses, locks, mirrors, contracts."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from trinco.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "trinco"
LOCKS = ("requirements.lock", "requirements-dev.lock")

FUNCTION_LINES, FILE_LINES, NESTING = 60, 400, 3
OPEN_ENDS = re.compile(
    r"\b(TO[D]O|FIX[M]E|XX[X])\b|raise NotImplemented[E]rror|pytest\.mark\.(sk[i]p|skip[i]f|xf[a]il)\b"
)
"""One letter in brackets, as with the hosts and the paths below, so that this file does not find itself."""
REGISTRIES = re.compile(r"p[y]pi\.org|python[h]osted\.org|registry\.npm[j]s\.org|deb\.debia[n]\.org|crates\.i[o]")
SOMEBODYS_PATHS = re.compile(r"(?<![\w.])/(hom[e]|roo[t]|User[s]|wor[k])/[\w.]")
RUN = {command.module for command in COMMANDS} | {"trinco.cli.leash"}
"""Modules that the tests run as a person does, in a process of their own."""
BINARY = {".png", ".ico", ".gz", ".woff2", ".mo"}


def tracked() -> list[Path]:
    """The files that git knows, or would take with `git add`."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file()]


FILES = tracked()
TEXTS = [path for path in FILES if path.suffix not in BINARY]
PYTHON = [path for path in FILES if path.suffix == ".py" and "migrations" not in path.parts]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def depth(node: ast.AST, above: int = 0) -> int:
    """How deep conditions, loops and handlers stand in each other. An `elif` is no deeper than its `if`, and a `with`
    is a bracket, not a branch."""
    deepest = above
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            continue
        branches = isinstance(child, ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try | ast.Match)
        continues = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        deepest = max(deepest, depth(child, above + (branches and not continues)))
    return deepest


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts)


@cache
def imports(path: Path) -> set[str]:
    """The modules that a file may import, by their whole names; `from a import b` may mean the module a.b."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


class TestSizes:
    """DESIGN 5: functions up to 60 lines, files up to 400, nesting up to 3."""

    def test_functions_are_short(self) -> None:
        long = [
            f"{shown(path)}: {node.name}, {node.end_lineno - node.lineno + 1} lines"
            for path in PYTHON
            for node in functions(path)
            if node.end_lineno is not None and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
        ]
        assert long == []

    def test_files_are_short(self) -> None:
        sizes = {shown(path): len(path.read_text(encoding="utf-8").splitlines()) for path in PYTHON}
        assert {name: lines for name, lines in sizes.items() if lines > FILE_LINES} == {}

    def test_nesting_is_shallow(self) -> None:
        deep = [f"{shown(path)}: {node.name}" for path in PYTHON for node in functions(path) if depth(node) > NESTING]
        assert deep == []

    def test_the_measure_of_nesting_counts_branches(self) -> None:
        code = "def f():\n if a:\n  for b in c:\n   with d:\n    pass\n elif e:\n  pass\n else:\n  try:\n   pass\n  finally:\n   pass\n"
        assert depth(ast.parse(code).body[0]) == 2


class TestWords:
    def test_nothing_is_left_open(self) -> None:
        """Neither a note to oneself nor a test that is switched off: what is missing is an issue, not a comment."""
        assert self.lines_with(OPEN_ENDS, PYTHON) == []

    def test_no_registry_is_named(self) -> None:
        """Where packages come from is the user's setting."""
        assert self.lines_with(REGISTRIES, TEXTS) == []

    def test_no_path_of_somebodys_machine(self) -> None:
        assert self.lines_with(SOMEBODYS_PATHS, TEXTS) == []

    @staticmethod
    def lines_with(pattern: re.Pattern[str], paths: list[Path]) -> list[str]:
        return [
            f"{shown(path)}:{number}: {line.strip()[:100]}"
            for path in paths
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
            if pattern.search(line)
        ]


class TestLocks:
    """What is installed is what was tried: exact versions, each with its hashes, and no address to fetch it from."""

    @staticmethod
    def requirements(lock: str) -> dict[str, tuple[str, str]]:
        """Version and hashes by name."""
        joined = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
        found = {}
        for line in joined.splitlines():
            if line.strip() and not line.startswith("#"):
                name, _, rest = line.partition("==")
                found[name.strip()] = (rest.split()[0], rest)
        return found

    @pytest.mark.parametrize("lock", LOCKS)
    def test_every_requirement_is_pinned_and_hashed(self, lock: str) -> None:
        found = self.requirements(lock)
        assert len(found) > 20
        assert [name for name, (_, rest) in found.items() if not re.search(r"--hash=sha256:[0-9a-f]{64}", rest)] == []

    @pytest.mark.parametrize("lock", LOCKS)
    def test_no_address_stands_in_it(self, lock: str) -> None:
        text = (ROOT / lock).read_text(encoding="utf-8")
        assert re.findall(r"://|--(?:extra-)?index-url|--find-links", text) == []

    def test_the_tests_run_on_what_is_shipped(self) -> None:
        shipped, tried = (self.requirements(lock) for lock in LOCKS)
        assert {name: tried.get(name, ("absent",))[0] for name in shipped} == {
            name: version for name, (version, _) in shipped.items()
        }


class TestRooms:
    def test_tests_lie_in_folders_named_after_rooms(self) -> None:
        rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
        folders = {path.relative_to(ROOT / "tests").parts[0] for path in PYTHON if self.lies_deep(path)}
        assert folders - rooms - {"browser", "chaos", "fake_ca"} == set()

    def test_no_two_test_files_share_a_name(self) -> None:
        """Those outside a package are modules by their bare names; two of one name cannot be collected together."""
        tests = [
            path for path in PYTHON if path.stem.startswith("test_") and not (path.parent / "__init__.py").exists()
        ]
        names = [path.stem for path in tests]
        assert sorted(shown(path) for path in tests if names.count(path.stem) > 1) == []

    @staticmethod
    def lies_deep(path: Path) -> bool:
        return path.is_relative_to(ROOT / "tests") and path.parent != ROOT / "tests"

    @pytest.mark.parametrize("room", ["core", "edge", "net", "playground", "cli"])
    def test_every_module_is_reached_by_a_test(self, room: str) -> None:
        """By an import in a test, or by one in a module of the same room that a test reaches."""
        modules = {dotted(path): path for path in sorted((SOURCE / room).rglob("*.py")) if path.stem != "__main__"}
        tests = [path for path in PYTHON if path.is_relative_to(ROOT / "tests")]
        reached = RUN.union(*map(imports, tests)) & set(modules)
        while further := {name for each in reached for name in imports(modules[each])} & set(modules) - reached:
            reached |= further
        helpers = {name for name, path in modules.items() if path.stem == "__init__"}
        assert sorted(set(modules) - reached - helpers) == []

    def test_the_import_contracts_hold(self) -> None:
        """The layers of pyproject.toml, by import-linter."""
        checker = Path(sys.executable).with_name("lint-imports")
        done = subprocess.run([checker, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
