"""The second wall between tenants: PostgreSQL lets no other organisation's row through, whatever was forgotten."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, NotSupportedError, connection, transaction
from django.db.models import Model
from psycopg import sql
from tests import support_wall
from tests.support_api import report
from tests.support_panel import live

from trinco.cli import examine_here
from trinco.panel import wall, wall_tables
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import RawReport, Report, Trust
from trinco.panel.web.presenters import received

ON_POSTGRESQL = connection.vendor == "postgresql"
NAMES = "SELECT name FROM domains_hosteddomain ORDER BY name"


def raw(statement: Any) -> list[object]:
    """The first column, without any filter of Django's."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return [row[0] for row in cursor.fetchall()]


def led_to(model: type[Model]) -> list[object]:
    """The tables that its rows point to."""
    return [field.related_model for field in model._meta.fields if field.is_relation]


class TestEveryTable:
    """RELIABILITY 2, row 29: PostgreSQL's row-level security as second layer."""

    def test_of_a_tenant_has_a_condition(self):
        theirs = {m._meta.db_table for m in apps.get_models() if isinstance(m._default_manager, TenantManager)}
        assert theirs == set(wall_tables.policies())
        assert len(theirs) > 20

    def test_that_leads_to_an_organisation_is_a_tenants(self):
        """A table with a way to an organisation, whoever made it, is not forgotten. A label is what everybody sees who
        comes to its host, and its clients' people."""
        reaching: set[type[Model]] = {Organisation}
        while more := {m for m in apps.get_models() if m not in reaching and reaching & set(led_to(m))}:
            reaching |= more
        assert {m._meta.db_table for m in reaching} - set(wall_tables.policies()) == {
            "accounts_organisation",
            "accounts_membership",
            "accounts_audithead",
            "accounts_label",
        }


if ON_POSTGRESQL:

    @pytest.fixture
    def both(ours: Organisation, theirs: Organisation) -> None:
        live(ours)
        live(theirs, "caixa.example")

    @pytest.mark.usefixtures("both")
    class TestRawStatements:
        """No filter at all, on one connection that two tenants share."""

        def test_each_sees_its_own(self, ours, theirs):
            with wall.within([ours.pk]):
                assert raw(NAMES) == ["correio.example"]
            with wall.within([theirs.pk]):
                assert raw(NAMES) == ["caixa.example"]
            assert raw(NAMES) == ["caixa.example", "correio.example"]

        def test_a_provider_sees_several(self, ours, theirs):
            with wall.within([ours.pk, theirs.pk]):
                assert raw(NAMES) == ["caixa.example", "correio.example"]

        def test_who_told_none_sees_none_of_any_table(self):
            for table in wall_tables.policies():
                with wall.within(()):
                    assert raw(f"SELECT count(*) FROM {table}") == [0], table

        def test_a_managers_door_to_everybody_opens_on_ones_own(self, ours):
            with wall.within([ours.pk]):
                assert [row.name for row in HostedDomain.objects.everywhere()] == ["correio.example"]

        def test_what_hangs_on_a_domain_goes_with_it(self, ours):
            with wall.within([ours.pk]):
                mine = HostedDomain.objects.everywhere().get()
                assert set(raw("SELECT domain_id FROM policies_policyversion")) == {mine.pk}

        def test_a_chart_is_added_up_from_an_index_alone(self, ours):
            """The policy asks for no column that the indexes of charts have not: the planner may take either."""
            with wall.within([ours.pk]), transaction.atomic():
                raw(
                    "SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'enable_bitmapscan']) AS name"
                )
                asked = "SELECT sum(failed_session_count) FROM reports_dailytotal WHERE domain_id = 1"
                plan = raw(f"EXPLAIN {asked} AND policy_type = '' AND result_type = ''")
            indexes = re.findall(r"Index Only Scan using (sessions_of_domain|totals_by_organisation) on", str(plan))
            assert len(indexes) == 1

        def test_the_keys_are_read_once_for_a_query(self, ours):
            """Where the policy turned their text into numbers, it did so for each row, hundreds for a provider."""
            with wall.within([ours.pk]):
                for table in wall_tables.policies():
                    plan = raw(f"EXPLAIN SELECT * FROM {table}")
                    assert not [line for line in plan if "::bigint[]" in str(line)], table

        def test_no_row_is_changed_or_taken_away(self, ours):
            with wall.within([ours.pk]), connection.cursor() as cursor:
                cursor.execute("UPDATE domains_hosteddomain SET tlsrpt = false")
                assert cursor.rowcount == 1

        def test_no_row_is_written_for_somebody_else(self, ours, theirs):
            with wall.within([ours.pk]), pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
                HostedDomain.objects.everywhere().create(organisation=theirs, name="x.example", label="x" * 26)

        @pytest.mark.parametrize("statement", [sql.SQL(NAMES), NAMES.encode()], ids=["composed", "octets"])
        def test_a_statement_of_another_kind_is_within_too(self, ours, statement):
            with wall.within([ours.pk]):
                assert raw(statement) == ["correio.example"]

        def test_what_takes_no_prefix_is_refused(self, ours):
            with wall.within([ours.pk]), connection.cursor() as cursor:
                with pytest.raises(NotSupportedError):
                    cursor.copy("COPY domains_hosteddomain TO STDOUT")
                with pytest.raises(NotSupportedError):
                    cursor.stream(NAMES)

        def test_a_copy_outside_goes_on_in_the_same_transaction(self, ours):
            with transaction.atomic(), connection.cursor() as cursor:
                with wall.within([ours.pk]):
                    cursor.execute(NAMES)
                with wall.lifted(), cursor.copy(f"COPY ({NAMES}) TO STDOUT") as rows:
                    assert len(list(rows.rows())) == 2

        def test_why_nobody_vouches_though_the_arrival_is_somebody_elses(self, ours, theirs):
            domain = HostedDomain.objects.everywhere().get(organisation=ours)
            row = report(domain, trust=Trust.NONE)
            RawReport.objects.everywhere().update(organisation=theirs, domain=None, reason="unsigned")
            with wall.within([ours.pk]):
                assert received.vouched(Report.objects.of(ours).get(pk=row.pk)).sentence.count("Why:") == 1

        def test_lifting_ends_where_it_ends(self, ours):
            with wall.within([ours.pk]):
                with wall.lifted():
                    assert len(raw(NAMES)) == 2
                assert len(raw(NAMES)) == 1

        def test_lifting_outside_changes_nothing(self):
            with wall.lifted():
                assert wall.prefix() == ""

    @pytest.mark.django_db(transaction=True)
    class TestConnection:
        """Nothing of it stays with a connection: the next to use it, through a pool of transactions too, begins anew."""

        def test_is_as_before_after_a_statement(self):
            with wall.within([7]):
                assert raw("SELECT current_user || current_setting('trinco.organisations')") == [f"{wall.ROLE}7"]
            plain = connection.connection.execute("SELECT current_user, current_setting('trinco.organisations', true)")
            assert plain.fetchone() == ("trinco", "")

        def test_is_as_before_after_a_statement_that_failed(self):
            with wall.within([7]), pytest.raises(DatabaseError):
                raw("SELECT 1/0")
            assert raw("SELECT current_user") == ["trinco"]

        def test_is_as_before_after_a_transaction(self):
            with wall.within([7]), transaction.atomic():
                raw("SELECT 1")
                assert raw("SELECT current_user") == [wall.ROLE]
            assert raw("SELECT current_user") == ["trinco"]

        def test_a_savepoint_that_is_rolled_back_leaves_it_standing(self, ours, theirs):
            live(ours)
            live(theirs, "caixa.example")
            with wall.within([ours.pk]), transaction.atomic():
                with pytest.raises(DatabaseError), transaction.atomic():
                    raw("SELECT 1/0")
                assert raw(NAMES) == ["correio.example"]

        def test_rows_that_come_in_pieces_are_within(self, ours, theirs):
            live(ours)
            live(theirs, "caixa.example")
            with wall.within([ours.pk]):
                assert [row.name for row in HostedDomain.objects.everywhere().iterator(1)] == ["correio.example"]

    @pytest.mark.django_db
    class TestPolicies:
        def test_doctor_says_that_it_stands_and_what_is_not_behind_it(self):
            assert [each.verdict for each in examine_here.wall_of_tenants()] == ["ok"]
            with connection.cursor() as cursor:
                cursor.execute("DROP POLICY trinco_wall ON reports_report")
            [found] = examine_here.wall_of_tenants()
            assert (found.verdict, found.seen) == ("warning", "1 tables are not behind it: reports_report")

        def test_one_that_no_longer_asks_the_same_is_found(self):
            with connection.cursor() as cursor:
                cursor.execute("COMMENT ON POLICY trinco_wall ON reports_report IS 'of before'")
            assert not wall_tables.stands()

        def test_a_table_without_the_right_to_it_is_found(self):
            with connection.cursor() as cursor:
                cursor.execute(f"REVOKE DELETE ON reports_report FROM {wall.ROLE}")
            assert wall_tables.closed() == ["reports_report"]

        def test_are_made_anew_when_one_is_gone(self):
            with connection.cursor() as cursor:
                cursor.execute("DROP POLICY trinco_wall ON reports_report")
            assert wall_tables.lacking() == ["reports_report"]
            support_wall.built()
            assert wall_tables.stands()

        @pytest.mark.parametrize(
            "means", ["ALTER ROLE {role} BYPASSRLS", "ALTER ROLE {role} SUPERUSER", "GRANT {owner} TO {role}"]
        )
        def test_a_role_that_no_policy_binds_is_no_wall(self, means):
            with connection.cursor() as cursor:
                if means.startswith("GRANT"):  # no two roles are members of each other
                    cursor.execute(f"REVOKE {wall.ROLE} FROM CURRENT_USER")
                cursor.execute(means.format(role=wall.ROLE, owner=connection.settings_dict["USER"]))
            assert (wall_tables.bound(), wall_tables.stands()) == (False, False)
            [found] = examine_here.wall_of_tenants()
            assert (found.verdict, "no policy binds trinco_tenant" in found.seen) == ("warning", True)
