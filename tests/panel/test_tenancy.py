"""The base manager that raises without a tenant."""

from __future__ import annotations

import pytest
from django.apps import apps
from tests.support_panel import hosted, live

from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.accounts.tenancy import TenantManager, TenantRequired
from trinco.panel.domains.models import HostedDomain

LABELS = ("accounts", "domains", "policies", "certificates", "checks", "web")
NO_TENANT = {
    *("User", "Organisation", "Membership", "AuditHead", "Revision", "EdgeNode", "Chain", "HostCertificate"),
    *("Account", "AccountKey", "SharedValue", "Identity"),
    "Label",  # seen by whoever comes to its host
}
"""Tables without a tenant's data, or that say themselves who belongs to whom."""

TABLES = [model for label in LABELS for model in apps.get_app_config(label).get_models()]
TENANT_TABLES = [model for model in TABLES if isinstance(model._default_manager, TenantManager)]


class TestManager:
    """Tenant in every query: a query that names none is a fault of ours, and raises."""

    def test_every_table_with_tenant_data_has_it(self):
        assert {model.__name__ for model in TABLES} - {model.__name__ for model in TENANT_TABLES} == NO_TENANT

    @pytest.mark.parametrize("model", TENANT_TABLES, ids=lambda model: model.__name__)
    @pytest.mark.parametrize("verb", ["all", "count", "first", "exists"])
    def test_raises_without_a_tenant(self, model, verb):
        with pytest.raises(TenantRequired):
            getattr(model.objects, verb)()

    @pytest.mark.parametrize("model", TENANT_TABLES, ids=lambda model: model.__name__)
    def test_raises_for_filter_get_and_create(self, model):
        for query in (model.objects.filter, model.objects.get, model.objects.create, model.objects.exclude):
            with pytest.raises(TenantRequired):
                query()

    @pytest.mark.django_db
    @pytest.mark.parametrize("model", TENANT_TABLES, ids=lambda model: model.__name__)
    def test_of_and_everywhere_are_the_doors(self, model):
        nobody = Organisation.objects.create(name="nobody")
        assert not model.objects.of(nobody).exists()
        assert model.objects.everywhere().count() >= 0


class TestTwoTenants:
    """What one organisation asks for never holds a row of another."""

    def test_each_sees_its_own_domains_and_lines(self, ours, theirs):
        mine, foreign = live(ours), live(theirs, "caixa.example")
        assert list(HostedDomain.objects.of(ours)) == [mine]
        assert list(HostedDomain.objects.of(theirs)) == [foreign]
        assert set(AuditEntry.objects.of(ours).values_list("subject", flat=True)) == {"correio.example"}

    def test_a_related_manager_stays_with_its_row(self, ours, theirs):
        mine, foreign = live(ours), live(theirs, "caixa.example")
        assert {version.domain for version in mine.versions.all()} == {mine}
        assert mine.standing.current.domain == mine
        assert foreign.records.count() == 3

    def test_rows_fetched_ahead_stay_with_theirs(self, ours, theirs):
        live(ours)
        live(theirs, "caixa.example")
        [row] = HostedDomain.objects.of(ours).prefetch_related("versions", "records")
        assert {version.domain_id for version in row.versions.all()} == {row.pk}

    def test_the_same_name_may_wait_twice(self, ours, theirs):
        first, second = hosted(ours), hosted(theirs)
        assert first.label != second.label
