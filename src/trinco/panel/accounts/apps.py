"""People, organisations and the log of deeds."""

from __future__ import annotations

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """The Django app `accounts`."""

    name = "trinco.panel.accounts"
    label = "accounts"
