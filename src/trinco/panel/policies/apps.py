"""Policies, their ledger and the edges that serve them."""

from __future__ import annotations

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """The Django app `policies`."""

    name = "trinco.panel.policies"
    label = "policies"
