"""The addresses of the pages."""

from __future__ import annotations

from django.urls import path, register_converter

from trinco.panel.web.converters import DomainConverter
from trinco.panel.web.views import (
    activity,
    bulk,
    bundle,
    certificates,
    domain,
    edges,
    exports,
    leaving,
    overview,
    playground,
    policy,
    preferences,
    read,
    received,
    recipients,
    report,
    reports,
    retention,
    setup,
    tokens,
    writing,
)

register_converter(DomainConverter, "domain")

urlpatterns = [
    path("", overview.show, name="overview"),
    path("domains/add/", overview.add, name="add"),
    path("domains/mode/", bulk.change, name="bulk"),
    path("domains/<domain:name>/", domain.show, name="domain"),
    path("domains/<domain:name>/live/", domain.live, name="domain_live"),
    path("domains/<domain:name>/check/", domain.check, name="check"),
    path("domains/<domain:name>/tls-reporting/", domain.tlsrpt, name="tlsrpt"),
    path("domains/<domain:name>/recipients/", recipients.add, name="recipient_add"),
    path("domains/<domain:name>/recipients/<int:pk>/remove/", recipients.remove, name="recipient_remove"),
    path("domains/<domain:name>/bundle.zip", bundle.download, name="bundle"),
    path("domains/<domain:name>/history/", domain.history, name="history"),
    path("domains/<domain:name>/setup/", setup.show, name="setup"),
    path("domains/<domain:name>/setup/live/", setup.live, name="setup_live"),
    path("domains/<domain:name>/setup/mx/", setup.mx, name="setup_mx"),
    path("domains/<domain:name>/setup/write/", writing.show, name="write_records"),
    path("domains/<domain:name>/policy/", policy.change, name="policy"),
    path("domains/<domain:name>/mail-servers/", policy.mail_servers, name="mail_servers"),
    path("domains/<domain:name>/undo/", policy.undo, name="undo"),
    path("domains/<domain:name>/leave/", leaving.leave, name="leave"),
    path("reports/", reports.by_result, name="reports"),
    path("reports/sources/", reports.by_source, name="sources"),
    path("reports/received/", received.show, name="received"),
    path("reports/received/<int:pk>/retry/", received.retry, name="report_retry"),
    path("reports/<int:pk>/", report.show, name="report"),
    path("reports/<int:pk>/raw/", report.raw, name="report_raw"),
    path("reports/export/<slug:kind>.<slug:form>", exports.show, name="reports_export"),
    path("read/", read.show, name="read_report"),
    path("recipients/confirm/<str:token>/", recipients.confirm, name="recipient_confirm"),
    path("settings/reports/", retention.show, name="report_settings"),
    path("certificates/", certificates.show, name="certificates"),
    path("activity/", activity.show, name="activity"),
    path("account/tokens/", tokens.show, name="tokens"),
    path("account/tokens/<int:pk>/revoke/", tokens.revoke, name="token_revoke"),
    path("edges/", edges.show, name="edges"),
    path("theme/", preferences.theme, name="theme"),
    path("playground/", playground.show, name="playground"),
    path("playground/change/", playground.change, name="playground_change"),
    path("playground/report/", playground.report, name="playground_report"),
]
