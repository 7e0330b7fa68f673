"""The app of TLS reports."""

from __future__ import annotations

from django.apps import AppConfig


class ReportsConfig(AppConfig):
    """What arrived, what it says, and the sums of it."""

    name = "trinco.panel.reports"
    label = "reports"
