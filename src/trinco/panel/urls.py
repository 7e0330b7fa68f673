"""The root of the panel's addresses. `/healthz` and `/readyz` are answered before any of these (`health`)."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("account/", include("allauth.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("", include("trinco.panel.web.urls")),
]
