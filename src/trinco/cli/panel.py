"""`trinco panel`: the web pages, by gunicorn inside this process (threads, since SQLite has one writer anyway)."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.db import connections
from gunicorn.app.base import BaseApplication

from trinco.cli import orm
from trinco.cli.migrate import upgrade
from trinco.cli.place import shown
from trinco.cli.status import TablesRole, answering
from trinco.panel import logs, metrics
from trinco.panel.metrics import Traffic
from trinco.panel.static import collect

THREADS = 8
STOP_SECONDS = 3

MIGRATE_HELP = "Bring the tables up to date first; waits where another does it."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("panel")(panel)


def panel(migrate: Annotated[bool, typer.Option("--migrate", help=MIGRATE_HELP)] = False) -> None:
    """The web pages. Listens at TRINCO_PANEL_LISTEN, in plain HTTP: put TLS in front of it."""
    with orm.tables():
        if migrate:
            upgrade()
    collect()
    connections.close_all()  # gunicorn forks: no connection may be shared
    Server(_options(), Traffic()).run()


def _options() -> dict[str, Any]:
    return {
        "bind": shown(settings.CONFIG.panel_listen),
        "worker_class": "gthread",
        "threads": THREADS,
        "graceful_timeout": STOP_SECONDS,
        "control_socket_disable": True,  # it would be made in the home directory
        "loglevel": "warning",
        "logconfig_dict": logs.handlers(settings.CONFIG.log.upper()),
    }


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with our options; it reads neither a file nor the command line."""

    def __init__(self, options: dict[str, Any], traffic: Traffic) -> None:
        self.options = options
        self._traffic = traffic
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In the process that serves, after the fork: the status listener belongs there."""
        role = TablesRole(metrics.registry(self._traffic))
        answering(role, settings.CONFIG.panel_status_listen)
        return self._traffic.around(get_wsgi_application())
