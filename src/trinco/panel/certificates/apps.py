"""Certificates of the policy hosts."""

from __future__ import annotations

from django.apps import AppConfig


class CertificatesConfig(AppConfig):
    """The Django app `certificates`."""

    name = "trinco.panel.certificates"
    label = "certificates"
