"""The root of the panel's addresses. `/healthz` and `/readyz` are answered before any of these (`health`)."""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from allauth.account.views import password_set
from django.urls import include, path, re_path

from trinco.panel.api.meaning import meaning
from trinco.panel.api.v1 import api
from trinco.panel.mounts import resumed
from trinco.panel.web.views import sessions

urlpatterns = [
    path("account/sessions/", sessions.show),  # stands before allauth's of this address
    path("account/password/set/", reauthentication_required(allow_get=True)(password_set)),  # a session is not enough
    path("account/", include("allauth.urls")),
    path("language/", include("django.conf.urls.i18n")),
    path("api/v1/problems/<slug:slug>", meaning),
    path("api/v1/", api.urls),
    re_path("^o/(?P<organisation_id>[1-9][0-9]{0,17})/", resumed),
    path("", include("trinco.panel.web.urls")),
]
