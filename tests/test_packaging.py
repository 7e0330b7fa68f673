"""The wheel: built without a network, installed both ways into empty environments, and started there."""

from __future__ import annotations

import email
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import pytest
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith(("TRINCO_", "PYTHON", "DJANGO_"))}
UV = shutil.which("uv")

pytestmark = pytest.mark.timeout(1200)  # two environments are made from nothing


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packaging")


@pytest.fixture(scope="module")
def wheel(scratch: Path) -> Path:
    """Built from a copy of the tree without any compiled catalogue, by the tools that are locked."""
    tree = scratch / "tree"
    shutil.copytree(ROOT / "src", tree / "src", ignore=shutil.ignore_patterns("*.mo", "__pycache__"))
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(scratch)], tree)
    (built,) = scratch.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """What is in the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def run(command: list[str], folder: Path, status: int = 0, given: str = "") -> str:
    """The output of a command that is to end with this status."""
    done = subprocess.run(
        command, cwd=folder, env=CLEAN, input=given, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == status, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def needed(wheel: Path, extras: set[str]) -> set[str]:
    """The names of all that the wheel asks for with these extras, and of what that asks for."""
    waiting = [(line, extras) for line in asked_for(wheel)]
    found: set[tuple[str, frozenset[str]]] = set()
    while waiting:
        line, outer = waiting.pop()
        requirement = Requirement(line)
        known = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if applies(requirement, outer) and known not in found:
            found.add(known)
            waiting += [(below, requirement.extras) for below in metadata.requires(known[0]) or []]
    return {name for name, _ in found}


def asked_for(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        about = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(about)).get_all("Requires-Dist") or []


def applies(requirement: Requirement, extras: set[str]) -> bool:
    if requirement.marker is None:
        return True
    here = {name: str(value) for name, value in default_environment().items()}
    return any(requirement.marker.evaluate({**here, "extra": extra}) for extra in extras | {""})


def locked(wanted: set[str]) -> str:
    """The part of the lock that names these, with their hashes."""
    blocks = re.split(r"\n(?=\S)", (ROOT / "requirements.lock").read_text(encoding="utf-8"))
    chosen = {block.partition("==")[0].strip(): block for block in blocks if "==" in block}
    assert wanted <= set(chosen), wanted - set(chosen)
    return "\n".join(chosen[name] for name in sorted(wanted)) + "\n"


def installed(scratch: Path, wheel: Path, extras: set[str]) -> Path:
    """An environment with nothing but the wheel and what it asks for, each by its hash. Gives its `bin`."""
    home = scratch / ("plain" if not extras else "-".join(sorted(extras)))
    lock = scratch / f"{home.name}.lock"
    lock.write_text(locked(needed(wheel, extras)), encoding="utf-8")
    run([sys.executable, "-m", "venv", "--without-pip", str(home)], scratch)
    python = str(home / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "-qq", "--disable-pip-version-check", "install"]
    install = [UV, "pip", "install", "-q", "--python", python] if UV else [*pip, "--no-compile"]
    run([*install, "--no-deps", "--require-hashes", "-r", str(lock)], scratch)
    run([*install, "--no-deps", str(wheel)], scratch)
    return home / "bin"


@pytest.fixture(scope="module")
def binaries(scratch: Path, wheel: Path) -> Path:
    return installed(scratch, wheel, set())


@pytest.fixture(scope="module")
def panel(scratch: Path, wheel: Path) -> Iterator[str]:
    """The address of the panel of a `trinco serve` that was started in an empty folder; it has to end by itself."""
    trinco = installed(scratch, wheel, {"server"}) / "trinco"
    folder = scratch / "anywhere"
    folder.mkdir()
    log = folder / "log"
    with log.open("w") as output:
        server = subprocess.Popen([trinco, "serve"], cwd=folder, env=CLEAN, stdout=output, stderr=output)
    told = folder / "trinco-data" / "endpoints.json"
    try:
        wait(lambda: told.exists() or server.poll() is not None)
        assert told.exists(), log.read_text()
        yield str(json.loads(told.read_bytes())["panel"])
    finally:
        server.send_signal(signal.SIGINT)
        status = server.wait(60)
    assert (status, told.exists()) == (0, False), log.read_text()
    assert re.search(r"Sign in +admin@trinco\.example, password \S{12,}", log.read_text())


def wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


class TestWheel:
    def test_carries_pages_files_and_compiled_languages(self, names: set[str]) -> None:
        web = "trinco/panel/web"
        assert {f"{web}/locale/pt/LC_MESSAGES/django.mo", "trinco/py.typed"} <= names
        assert any(name.startswith(f"{web}/templates/") and name.endswith(".html") for name in names)
        assert any(name.startswith(f"{web}/static/") and name.endswith(".css") for name in names)

    def test_carries_the_package_and_nothing_else(self, names: set[str]) -> None:
        assert {name.partition("/")[0] for name in names} == {"trinco", "trinco-0.1.0.dist-info"}
        assert [name for name in names if name.endswith((".pyc", ".sqlite3", ".pem"))] == []

    def test_every_migration_is_in_it(self, names: set[str]) -> None:
        ours = {str(path.relative_to(ROOT / "src")) for path in (ROOT / "src").rglob("migrations/0*.py")}
        assert ours
        assert ours <= names


class TestPlainInstall:
    """`pip install .`: the checker, without Django."""

    def test_lints_a_policy(self, binaries: Path, scratch: Path) -> None:
        good = "version: STSv1\r\nmode: enforce\r\nmx: mx1.correio.example\r\nmax_age: 604800\r\n"
        run([str(binaries / "trinco"), "policy", "lint", "-"], scratch, 0, good)
        run([str(binaries / "trinco"), "policy", "lint", "-"], scratch, 1, good.replace("enforce", "maybe"))

    def test_has_no_django_and_says_so(self, binaries: Path, scratch: Path) -> None:
        run([str(binaries / "python"), "-c", "import django"], scratch, 1)
        done = subprocess.run(
            [binaries / "trinco", "serve"],
            cwd=scratch,
            env=CLEAN,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 2
        assert "trinco[server]" in done.stderr

    def test_shows_its_help(self, binaries: Path, scratch: Path) -> None:
        assert "serve" in run([str(binaries / "trinco"), "--help"], scratch)


class TestServerInstall:
    """`pip install '.[server]'`: a working `trinco serve` in any directory."""

    @staticmethod
    def get(address: str, language: str = "en") -> str:
        request = urllib.request.Request(address, headers={"Accept-Language": language})
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 200
            return str(response.read().decode())

    def test_shows_the_login_page_with_its_style(self, panel: str) -> None:
        page = self.get(f"{panel}/account/login/")
        (style,) = re.findall(r'href="(/static/[^"]+\.css)"', page)[:1]
        assert "--" in self.get(panel + style)

    def test_speaks_portuguese(self, panel: str) -> None:
        assert '<html lang="en"' in self.get(f"{panel}/account/login/")
        page = self.get(f"{panel}/account/login/", "pt-PT,pt;q=0.9")
        assert '<html lang="pt' in page
        assert "Palavra-passe" in page
