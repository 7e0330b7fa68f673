"""The scripts behind `make`: a Python that really runs, an environment that is made once, Debian's packages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest
from tests.support import PACKAGES

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / "tools"


def script(name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [TOOLS / name, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def shim(folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


class TestPython:
    """A name on PATH may be a shim that fails."""

    def test_finds_one_that_works(self) -> None:
        found = script("python.sh")
        version = subprocess.run(
            [found.stdout.strip(), "-c", "import sys, venv, ensurepip; print(sys.version_info >= (3, 11))"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert version.stdout == "True\n"

    def test_passes_over_a_shim_that_fails(self, tmp_path: Path) -> None:
        shim(tmp_path / "shims", "python3", "echo 'no such version' >&2; exit 127")
        found = script("python.sh", PATH=f"{tmp_path / 'shims'}:{os.environ['PATH']}")
        assert found.returncode == 0
        assert not found.stdout.startswith(str(tmp_path))

    def test_a_folder_with_a_space_is_one_folder(self, tmp_path: Path) -> None:
        shim(tmp_path / "a b", "python3", "exit 0")
        text = (TOOLS / "python.sh").read_text().replace("/usr/bin $PATH /usr/local/bin", "$PATH")
        (tmp_path / "copy.sh").write_text(text)
        found = subprocess.run(
            ["/bin/sh", tmp_path / "copy.sh"],
            env={"PATH": str(tmp_path / "a b")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert found.stdout == f"{tmp_path / 'a b' / 'python3'}\n"

    def test_takes_the_one_that_is_named(self) -> None:
        assert script("python.sh", PYTHON=sys.executable).stdout.strip() == sys.executable

    def test_refuses_a_named_one_that_does_not_work(self, tmp_path: Path) -> None:
        shim(tmp_path, "python3", "exit 1")
        found = script("python.sh", PYTHON=str(tmp_path / "python3"))
        assert (found.returncode, found.stdout) == (1, "")
        assert "not a working Python" in found.stderr


class TestDebian:
    """What the tests drive is what is installed for them, and nothing else."""

    @staticmethod
    def wanted(line: str) -> dict[str, str]:
        text = (TOOLS / "debian.sh").read_text()
        (listed,) = re.findall(rf'^{line}="([^"]+)"$', text, re.MULTILINE)
        return dict(pair.split(":") for pair in listed.replace("\\", " ").split())

    @staticmethod
    def asked_for(folder: str) -> set[str]:
        """The programs that the Python files of a folder name in a call of `needs`, or in the browser's fixture."""
        text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py"))
        return set(re.findall(r'\bneeds\("([^"]+)"\)', text))

    def test_the_tests_programs_are_installed(self) -> None:
        wanted = self.wanted("test_programs")
        assert self.asked_for("tests") | {"chromium"} == set(wanted)

    def test_the_packages_are_those_that_a_skip_names(self) -> None:
        wanted = {**self.wanted("test_programs"), **self.wanted("bench_programs")}
        programs = {program: package for program, package in wanted.items() if "/" not in program}
        assert {program: PACKAGES.get(program, program) for program in programs} == programs

    def test_nothing_is_done_where_nothing_is_missing(self, tmp_path: Path) -> None:
        for program in self.wanted("test_programs"):
            shim(tmp_path / "bin", program, "exit 0")
        done = script("debian.sh", "test", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    @pytest.fixture
    def bare(self, tmp_path: Path) -> Path:
        """A machine without any of the programs: a copy of the script that sees only this folder's `bin`."""
        for needed in ("cat", "chmod", "dirname", "env", "ls", "mktemp", "rm", "sh", "tail"):
            (tmp_path / "bin").mkdir(exist_ok=True)
            (tmp_path / "bin" / needed).symlink_to(f"/usr/bin/{needed}")
        text = (TOOLS / "debian.sh").read_text().replace(":/usr/sbin:/sbin", "")
        text = text.replace("/usr/include", "/nowhere").replace("/usr/lib", "/nowhere")
        copy = tmp_path / "tools" / "debian.sh"
        copy.parent.mkdir()
        copy.write_text(text.replace("/usr/sbin/policy-rc.d", str(tmp_path / "policy-rc.d")))
        return tmp_path

    PEERS = "dnsperf gcc libc6-dev libssl-dev knot nginx-light nsd pdns-server pdns-backend-sqlite3"

    @staticmethod
    def bench(bare: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", bare / "tools" / "debian.sh", "bench"],
            env={"PATH": str(bare / "bin"), **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def test_somebody_else_is_told_what_to_type(self, bare: Path) -> None:
        """A user who is not root: the line, and no more."""
        shim(bare / "bin", "id", "echo 1000")
        shim(bare / "bin", "apt-get", "exit 9")
        done = self.bench(bare)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"sudo apt-get install --no-install-recommends {self.PEERS}\n" in done.stdout

    def test_root_installs_while_no_service_may_start(self, bare: Path) -> None:
        shim(bare / "bin", "id", "echo 0")
        shim(bare / "bin", "apt-get", f'echo "$@" >> {bare}/asked; sh {bare}/policy-rc.d; echo $? >> {bare}/asked')
        done = self.bench(bare)
        assert (done.returncode, done.stderr) == (0, "")
        assert (bare / "asked").read_text() == (f"install -y --no-install-recommends {self.PEERS}\n101\n")
        assert not (bare / "policy-rc.d").exists()

    def test_a_policy_that_is_there_stays(self, bare: Path) -> None:
        shim(bare / "bin", "id", "echo 0")
        shim(bare / "bin", "apt-get", "exit 0")
        (bare / "policy-rc.d").write_text("theirs")
        assert self.bench(bare).returncode == 0
        assert (bare / "policy-rc.d").read_text() == "theirs"

    def test_the_list_is_fetched_only_when_an_install_fails(self, bare: Path) -> None:
        shim(bare / "bin", "id", "echo 0")
        shim(bare / "bin", "apt-get", f'echo "$1" >> {bare}/asked; [ "$1" = update ] || ls {bare}/updated || exit 100')
        done = self.bench(bare)
        assert (done.returncode, "Going on without: dnsperf" in done.stdout) == (0, True)
        assert (bare / "asked").read_text() == "install\nupdate\ninstall\n"
        assert self.bench(bare, CI="true").returncode == 1
        assert not (bare / "policy-rc.d").exists()


class TestMakefile:
    def test_help_lists_every_target(self) -> None:
        listed = subprocess.run(["make", "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
        phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[0].split()
        assert re.findall(r"make (\w+)", listed) == phony

    @pytest.mark.parametrize("path", sorted([*TOOLS.glob("*.sh"), ROOT / ".ci" / "run"]), ids=lambda path: path.name)
    def test_every_script_is_executable_and_parses(self, path: Path) -> None:
        assert os.access(path, os.X_OK)
        shell = "bash" if "bash" in path.read_text().splitlines()[0] else "sh"
        done = subprocess.run([shell, "-n", path], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    def test_ci_allows_no_skip(self) -> None:
        assert "CI=true exec make test" in (ROOT / ".ci" / "run").read_text()


class TestStrict:
    """With CI=true a skip is a failure, wherever it comes from."""

    FILES: ClassVar = {
        "test_calls.py": "import pytest\ndef test_a():\n    pytest.skip('needs nsd')\ndef test_b():\n    pass\n",
        "test_module.py": "import pytest\npytest.skip('needs nsd', allow_module_level=True)\n",
    }

    @pytest.mark.parametrize(("ci", "line"), [("true", "1 failed, 1 passed, 1 error"), ("", "1 passed, 2 skipped")])
    def test_a_skip_is_judged(self, tmp_path: Path, ci: str, line: str) -> None:
        for name, text in self.FILES.items():
            (tmp_path / name).write_text(text)
        options = ["-q", "-p", "tests.strict", "-p", "no:django", "--continue-on-collection-errors"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, "--rootdir", tmp_path, "-c", os.devnull, tmp_path],
            cwd=ROOT,
            env={**os.environ, "CI": ci},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert re.sub(r" in [\d.]+s.*", "", done.stdout.strip().splitlines()[-1]) == line
