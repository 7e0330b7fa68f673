"""The pages."""

from __future__ import annotations

from django.apps import AppConfig


class WebConfig(AppConfig):
    """The Django app `web`."""

    name = "trinco.panel.web"
    label = "web"
