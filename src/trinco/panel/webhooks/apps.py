"""Signed messages to programs of the customer's own."""

from __future__ import annotations

from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    """The Django app `webhooks`."""

    name = "trinco.panel.webhooks"
    label = "webhooks"
