"""The hosted domains and what was seen of them."""

from __future__ import annotations

from django.apps import AppConfig


class DomainsConfig(AppConfig):
    """The Django app `domains`."""

    name = "trinco.panel.domains"
    label = "domains"
