"""The command line as a whole: names, help, missing parts, exit codes."""

import importlib
import os
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from trinco import __version__
from trinco.cli import main as command_line
from trinco.cli.main import COMMANDS, Command, app
from trinco.config import ConfigError
from trinco.core.errors import DnsFailure

runner = CliRunner()


def python(*args: str) -> subprocess.CompletedProcess:
    """A Python of its own, which imports from where this one does."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, *args]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


def with_module(monkeypatch, module) -> None:
    """Put `policy` of the table into the hands of this stand-in for its module."""
    real = importlib.import_module
    monkeypatch.setattr(
        command_line.importlib, "import_module", lambda name: module if name == "trinco.cli.policy" else real(name)
    )


class Raising:
    """A command module whose command fails."""

    def __init__(self, error):
        self.error = error

    def register(self, part):
        @part.command("policy")
        def fail() -> None:
            """Fail."""
            raise self.error


class Absent:
    """A module that cannot be imported, since another one is missing."""

    def __init__(self, missing):
        self.missing = missing

    def register(self, part):
        raise ModuleNotFoundError(f"No module named {self.missing!r}", name=self.missing)


class TestHelp:
    """Every command is listed, by what a person wants to do, without importing any of them."""

    def test_all_commands_under_their_intent(self):
        text = runner.invoke(app, ["--help"]).output
        for command in COMMANDS:
            assert f"  {command.name} " in text
            assert command.summary in text
            assert f"{command.intent}:" in text

    def test_no_command_and_no_django_is_imported_for_it(self):
        code = (
            "import sys\n"
            "from typer.testing import CliRunner\n"
            "from trinco.cli.main import app\n"
            "result = CliRunner().invoke(app, ['--help'])\n"
            "loaded = {name for name in sys.modules if name.split('.')[0] == 'django' or name.startswith('trinco.cli.')}\n"
            "print(result.exit_code, sorted(loaded))\n"
        )
        assert python("-c", code).stdout == "0 ['trinco.cli.main']\n"

    def test_nothing_after_the_name_is_wrong_use_and_shows_the_help(self):
        result = runner.invoke(app, [])
        assert (result.exit_code, "Check and write:" in result.output) == (2, True)

    def test_version(self):
        result = runner.invoke(app, ["--version"])
        assert (result.exit_code, result.output) == (0, f"trinco {__version__}\n")

    def test_as_a_module(self):
        result = python("-m", "trinco", "--version")
        assert (result.returncode, result.stdout, result.stderr) == (0, f"trinco {__version__}\n", "")

    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
    def test_each_command_of_the_table_is_there(self, command):
        """The table promises it; its module registers it under that name."""
        result = runner.invoke(app, [command.name, "--help"])
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith(f"Usage: trinco {command.name} ")

    @pytest.mark.slow
    @pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
    def test_each_starts_by_itself(self, command):
        """Here Django is set up already: a module that reads a model before that would not be found out."""
        result = python("-m", "trinco", command.name, "--help")
        assert (result.returncode, result.stderr) == (0, "")


class TestWrongUse:
    """Wrong use ends in exit code 2 and a sentence that says what to do."""

    def test_unknown_command(self):
        result = runner.invoke(app, ["polcy"])
        assert (result.exit_code, result.stdout) == (2, "")
        assert "there is no command 'polcy'; did you mean `trinco policy`?" in result.stderr

    def test_nothing_like_it(self):
        result = runner.invoke(app, ["xyzzy"])
        assert (result.exit_code, "`trinco --help` lists the commands" in result.stderr) == (2, True)

    def test_unknown_command_with_hostile_characters(self):
        result = runner.invoke(app, ["\x1b[31m\u202e"])
        assert (result.exit_code, "\x1b" in result.stderr, "\u202e" in result.stderr) == (2, False, False)

    def test_unknown_option(self):
        assert runner.invoke(app, ["--nope"]).exit_code == 2


class TestMissingParts:
    """A plain installation has no Django: the server's commands say which packages they need."""

    @pytest.mark.parametrize("command", [command for command in COMMANDS if command.server], ids=lambda one: one.name)
    def test_without_django(self, command):
        code = (
            "import sys\n"
            "class NoDjango:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name.split('.')[0] in {'django', 'allauth'}:\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, NoDjango())\n"
            "import importlib.util\n"
            "real = importlib.util.find_spec\n"
            "importlib.util.find_spec = lambda name, package=None: None if name == 'django' else real(name, package)\n"
            "from trinco.cli.main import main\n"
            f"sys.argv = ['trinco', {command.name!r}, '--help']\n"
            "main()\n"
        )
        result = python("-c", code)
        assert (result.returncode, result.stdout) == (2, "")
        assert f"`trinco {command.name}` needs the server's packages" in result.stderr
        assert "pip install 'trinco[server]'" in result.stderr

    @pytest.mark.parametrize(
        "args", [["policy", "make", "--mode", "none"], ["record", "lint", "v=STSv1; id=1;"], ["--help"]]
    )
    def test_the_others_work_without_django(self, args):
        code = (
            "import sys\n"
            "class NoDjango:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            "        if name.split('.')[0] in {'django', 'allauth', 'trinco.panel'}:\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, NoDjango())\n"
            "from trinco.cli.main import main\n"
            f"sys.argv = ['trinco', *{args!r}]\n"
            "main()\n"
        )
        result = python("-c", code)
        assert (result.returncode, result.stderr, result.stdout != "") == (0, "", True)

    def test_another_package_of_the_server_is_missing(self, monkeypatch):
        monkeypatch.setitem(command_line._TABLE, "policy", Command("policy", "trinco.cli.policy", "", "", server=True))
        with_module(monkeypatch, Absent("gunicorn"))
        result = runner.invoke(app, ["policy"])
        assert (result.exit_code, "pip install 'trinco[server]'" in result.stderr) == (2, True)

    def test_a_module_that_this_installation_does_not_have(self, monkeypatch):
        monkeypatch.setitem(command_line._TABLE, "policy", Command("policy", "trinco.cli.absent", "", "", server=False))
        result = runner.invoke(app, ["policy"])
        assert (result.exit_code, "`trinco policy` is not part of this installation" in result.stderr) == (2, True)

    @pytest.mark.parametrize("missing", ["trinco.core.absent", "idna"])
    def test_a_fault_of_ours_is_not_hidden(self, monkeypatch, missing):
        with_module(monkeypatch, Absent(missing))
        assert isinstance(runner.invoke(app, ["policy"]).exception, ModuleNotFoundError)

    def test_completion_passes_over_what_is_missing(self, monkeypatch):
        monkeypatch.setattr(command_line.importlib.util, "find_spec", lambda name: None)
        environment = {"_TRINCO_COMPLETE": "complete_bash", "COMP_WORDS": "trinco ", "COMP_CWORD": "1"}
        result = runner.invoke(app, [], env=environment, prog_name="trinco")
        assert result.exit_code == 0
        assert set(result.output.split()) >= {"policy", "record"}


class TestErrorsOfOurs:
    """What a command did not catch of the error tree ends in one line, without a traceback."""

    @pytest.mark.parametrize(
        ("error", "code"), [(ConfigError("TRINCO_BASE: a dot is missing"), 2), (DnsFailure("nobody answered"), 3)]
    )
    def test_one_line_and_a_code(self, monkeypatch, error, code):
        with_module(monkeypatch, Raising(error))
        result = runner.invoke(app, ["policy"])
        assert (result.exit_code, result.stdout, result.stderr) == (code, "", f"trinco: {error}\n")

    def test_a_bug_stays_a_traceback(self, monkeypatch):
        with_module(monkeypatch, Raising(ZeroDivisionError("x")))
        assert isinstance(runner.invoke(app, ["policy"]).exception, ZeroDivisionError)

    def test_an_exit_code_of_the_command_is_kept(self, monkeypatch):
        with_module(monkeypatch, Raising(typer.Exit(3)))
        assert runner.invoke(app, ["policy"]).exit_code == 3
