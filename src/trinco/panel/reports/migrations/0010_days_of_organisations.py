"""A table of each organisation's days, kept by triggers, whoever writes daily totals: the version of before as well.

The triggers come first and keep writers out until all that is older is noted (`UnsummedDomain`): what is in the table
of days, and what is still to be added up (0011), are together all there is.
"""

import django.db.models.deletion
from django.db import migrations, models

INTO = """
INSERT INTO reports_organisationday (organisation_id, domain_id, day, trust, submitter, successful_session_count,
  failed_session_count, reports, totals, folded)
"""
ROW = """
SELECT {row}.organisation_id, CASE WHEN {row}.trust = 'https' THEN {row}.domain_id END, {row}.day, {row}.trust,
  {row}.submitter, {counts}, {no}
  WHERE NOT EXISTS (SELECT 1 FROM reports_unsummeddomain WHERE domain_id = {row}.domain_id)
"""
ALL_SESSIONS = "{row}.result_type = '' AND {row}.policy_type = ''"
COUNTS = "successful_session_count, failed_session_count, reports"
WHOSE = ("organisation_id", "domain_id", "day", "trust", "submitter")


def statements(postgresql):
    """What comes is added, what goes is taken off; of a row whose counts alone change, the difference."""
    came, went = row("NEW", "", 1, postgresql), row("OLD", "-", -1, postgresql)
    more = ", ".join(f"NEW.{one} - OLD.{one}" for one in COUNTS.split(", "))
    changed = INTO + ROW.format(row="NEW", counts=f"{more}, 0", no=no(postgresql)) + ";"
    same = " AND ".join(f"NEW.{one} = OLD.{one}" for one in WHOSE)
    new, old = ALL_SESSIONS.format(row="NEW"), ALL_SESSIONS.format(row="OLD")
    yield from trigger("insert", "INSERT", new, came, postgresql)
    yield from trigger("change", f"UPDATE OF {COUNTS}", f"{new} AND {same}", changed, postgresql)
    yield from trigger("move", f"UPDATE OF {', '.join(WHOSE)}", f"{old} AND NOT ({same})", went + came, postgresql)
    yield from trigger("delete", "DELETE", old, went, postgresql)


def row(name, sign, totals, postgresql):
    counts = ", ".join(f"{sign}{name}.{one}" for one in COUNTS.split(", "))
    return INTO + ROW.format(row=name, counts=f"{counts}, {totals}", no=no(postgresql)) + ";"


def no(postgresql):
    return "false" if postgresql else "0"


def trigger(deed, event, when, body, postgresql):
    name = f"trinco_day_{deed}"
    head = f"CREATE TRIGGER {name} AFTER {event} ON reports_dailytotal FOR EACH ROW WHEN ({when})"
    if not postgresql:
        yield f"{head} BEGIN {body} END"
        return
    yield (
        f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NULL; END $$"
    )
    yield f"{head} EXECUTE FUNCTION {name}()"


def watch(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in statements(schema_editor.connection.vendor == "postgresql"):
            cursor.execute(statement)
        cursor.execute("INSERT INTO reports_unsummeddomain (domain_id) SELECT id FROM domains_hosteddomain")


def let_go(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    with schema_editor.connection.cursor() as cursor:
        for deed in ("insert", "change", "move", "delete"):
            name = f"trinco_day_{deed}"
            cursor.execute(f"DROP TRIGGER {name}{' ON reports_dailytotal' if postgresql else ''}")
            if postgresql:
                cursor.execute(f"DROP FUNCTION {name}()")


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0009_single_sign_on'),
        ('domains', '0006_kept_access'),
        ('reports', '0009_totals_by_organisation'),
    ]

    operations = [
        migrations.CreateModel(
            name='UnsummedDomain',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('domain', models.OneToOneField(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='domains.hosteddomain')),
            ],
        ),
        migrations.CreateModel(
            name='OrganisationDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('day', models.DateField()),
                ('trust', models.CharField(choices=[('dkim', 'Verified by DKIM'), ('operator', 'Imported by the operator'), ('https', 'By HTTPS, not signed'), ('none', 'Not verified')], max_length=8)),
                ('submitter', models.CharField(blank=True, max_length=253)),
                ('successful_session_count', models.BigIntegerField()),
                ('failed_session_count', models.BigIntegerField()),
                ('reports', models.BigIntegerField()),
                ('totals', models.BigIntegerField()),
                ('folded', models.BooleanField(db_default=False, default=False)),
                ('domain', models.ForeignKey(db_constraint=False, db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='domains.hosteddomain')),
                ('organisation', models.ForeignKey(db_constraint=False, db_index=False, on_delete=django.db.models.deletion.DO_NOTHING, related_name='+', to='accounts.organisation')),
            ],
            options={
                'indexes': [models.Index(fields=['organisation', 'day', 'trust', 'submitter', 'domain', 'successful_session_count', 'failed_session_count', 'reports', 'totals'], name='days_of_organisation'), models.Index(condition=models.Q(('folded', False)), fields=['id'], name='days_to_fold')],
            },
        ),
        migrations.AddIndex(
            model_name='dailytotal',
            index=models.Index(condition=models.Q(('result_type', ''), _negated=True), fields=['organisation', 'day', 'policy_type', 'result_type', 'mx', 'trust', 'submitter', 'domain', 'failed_session_count'], name='failures_of_organisation'),
        ),
        migrations.AddIndex(
            model_name='dailytotal',
            index=models.Index(condition=models.Q(('policy_type', ''), ('result_type', '')), fields=['domain', 'day', 'trust', 'submitter', 'successful_session_count', 'failed_session_count', 'reports', 'policy_type', 'result_type', 'organisation'], name='sessions_of_domain'),
        ),
        migrations.AddIndex(
            model_name='dailytotal',
            index=models.Index(condition=models.Q(('result_type', ''), _negated=True), fields=['domain', 'day', 'policy_type', 'result_type', 'mx', 'trust', 'submitter', 'failed_session_count', 'organisation'], name='failures_of_domain'),
        ),
        migrations.RunPython(watch, let_go),
    ]
