"""`trinco serve`: all of Trinco in one command, each part in a process of its own.

Without options it is an installation of one machine: SQLite, an own zone, a development CA. With `--playground` it
lives in a made-up internet on loopback, with customers in every state, for trying.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from trinco import config
from trinco.cli import place, readiness
from trinco.cli.supervisor import Program, supervise
from trinco.core.errors import TrincoError

READY_SECONDS = 60.0

PLAYGROUND_HELP = "Live in a made-up internet on loopback, with customers in every state."
PORT_BASE_HELP = "Take the ports from this one on, in place of the usual ones (8080, 8443, 8053, …)."


class AlreadyServing(TrincoError):
    """Another `trinco serve` works with this data directory."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("serve")(serve)


def serve(
    playground: Annotated[bool, typer.Option("--playground", help=PLAYGROUND_HELP)] = False,
    port_base: Annotated[int | None, typer.Option(min=1024, max=65_000, help=PORT_BASE_HELP)] = None,
) -> None:
    """All of it in one command, on this machine: the panel, an edge and the worker. Ctrl-C ends it.

    Tables are made and brought up to date first. `endpoints.json` in the data directory says where everything listens
    while it runs.
    """
    try:
        chosen = place.environment(os.environ, place.Serving(playground, port_base))
        os.environ.update(chosen)
        settings = config.load(os.environ)
        with alone(settings.data):
            _run(settings, chosen)
    except (config.ConfigError, AlreadyServing, OSError) as error:
        typer.echo(f"trinco serve: {error}", err=True)
        raise typer.Exit(2) from error


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Hold the data directory for this process. Raises AlreadyServing; the kernel lets go when the process ends."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (data / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyServing(f"another one works with {data} already; end it first, or set TRINCO_DATA") from None
        yield


def _run(settings: config.Config, chosen: Mapping[str, str]) -> None:
    place.remove(settings.data)
    login = _prepared(settings)
    place.remember(settings.data, chosen)
    if login.password and not settings.playground:  # said as soon as it is made: it is kept nowhere
        typer.echo(f"The first account: {login.email}, password {login.password}")
    known = place.Login(login.email, login.password if settings.playground else "")
    try:
        asyncio.run(_serve(settings, place.endpoints(settings, known), login))
    finally:
        place.remove(settings.data)


def _prepared(settings: config.Config) -> place.Login:
    """Tables, keys, the first account. Imported here, since Django reads the environment while it is imported."""
    login: place.Login = importlib.import_module("trinco.cli.prepare").prepare(settings)
    return login


def programs(settings: config.Config) -> tuple[tuple[Program, ...], ...]:
    """What runs, in the stages of the end: first those who change things, then those who serve."""
    made_up = ((Program("playground", "trinco.playground"),),) if settings.playground else ()
    return (
        (Program("panel", "trinco", ("panel",)), Program("worker", "trinco", ("worker",))),
        (Program(settings.edge_name, "trinco", ("edge",)),),
        *made_up,
    )


async def _serve(settings: config.Config, told: place.Endpoints, login: place.Login) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        greeting = group.create_task(_greet(settings, told, login))
        await supervise(programs(settings), stop, _say)
        greeting.cancel()
    typer.echo("Everything has ended.")


async def _greet(settings: config.Config, told: place.Endpoints, login: place.Login) -> None:
    """Wait until all listeners answer, then say where to go."""
    try:
        async with asyncio.timeout(READY_SECONDS):
            await readiness.ready(settings)
    except TimeoutError:
        missing = ", ".join(await readiness.silent(settings))
        _say("trinco", f"after {READY_SECONDS:.0f} s there is still no answer from: {missing}")
        return
    place.write(settings.data, told)
    typer.echo(greeting(settings, told, login))


def greeting(settings: config.Config, told: place.Endpoints, login: place.Login) -> str:
    """What a person reads when everything runs."""
    password = f"password {login.password}" if login.password else "with the password you know"
    head = f"\nTrinco is ready.\n\n    Dashboard   {told.panel}\n    Sign in     {login.email}, {password}\n"
    return head + (_things_to_try(told) if settings.playground else _next_steps(told)) + "\nCtrl-C ends everything.\n"


def _things_to_try(told: place.Endpoints) -> str:
    fetch, ask = place.commands(told)
    return f"""
Four things to try:

 1. Add the domain novo.example, and publish its three records at {told.panel}/playground/:
    the wizard turns green by itself.
 2. Ask for the record that announces a policy, and fetch that, as a sending mail server does:
    {ask}
    {fetch}
 3. Find the incident of correio.example: click the domain, then a red day of last week.
 4. Change its mode, and read in its history when the file and when DNS followed.
"""


def _next_steps(told: place.Endpoints) -> str:
    mail = f"; by mail, at {told.smtp}" if told.smtp else ""
    return f"""
    Policies    https, at {told.policy}; the root of the development CA is {told.ca}
    DNS         the zone {told.base}, at {told.dns}
    Reports     https, at {told.reports}{mail}

The settings are in docs/settings.md, and `trinco doctor` holds them against the world.
"""


def _say(name: str, line: str) -> None:
    sys.stdout.write(f"{name:<10} | {line}\n")
    sys.stdout.flush()
