"""What must be there before `trinco serve` starts its programs: tables, the development CA, an account."""

from __future__ import annotations

import secrets
from pathlib import Path

from trinco.cli import orm as _orm  # noqa: F401 - sets Django up

from django.db import connections  # isort: skip - after the set-up

from trinco.cli.migrate import upgrade
from trinco.cli.place import Login
from trinco.cli.seed import seed
from trinco.config import Config
from trinco.panel.accounts.models import Membership, Role, User
from trinco.panel.accounts.services import create_account
from trinco.panel.certificates.services import development_root
from trinco.playground import authority
from trinco.playground.store import replace

ROOTS = "roots.pem"
"""Beside the system's: the roots that look-ups of ours trust, in the playground alone."""


def prepare(settings: Config) -> Login:
    """Bring the data directory up to date. Gives the account to sign in with, its password if it is new or made up."""
    try:
        return bring_up(settings)
    finally:
        connections.close_all()  # the programs that are started next have their own


def bring_up(settings: Config) -> Login:
    """As `prepare`; connections stay open."""
    upgrade()
    root = development_root(settings.data)
    if settings.playground:
        _trust(settings.data, root)
        return seed(settings)
    return _first_account(settings)


def _trust(data: Path, root: Path) -> None:
    """Let the checks trust the development CA and the made-up mail servers' root."""
    replace(data / ROOTS, root.read_bytes() + authority.root(data).read_bytes())


def _first_account(settings: Config) -> Login:
    """The owner who is there, or a new one whose password is told this once."""
    owner = Membership.objects.filter(role=Role.OWNER).select_related("user").order_by("pk").first()
    if owner is not None:
        return Login(owner.user.email)
    email, password = f"admin@{settings.base}", secrets.token_urlsafe(12)
    user: User = create_account(email=email, password=password)
    return Login(user.email, password)
