"""Looks at the customers' DNS and mail servers."""

from __future__ import annotations

from django.apps import AppConfig


class ChecksConfig(AppConfig):
    """The Django app `checks`."""

    name = "trinco.panel.checks"
    label = "checks"
