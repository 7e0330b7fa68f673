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
  {row}.submitter, {sign}{row}.successful_session_count, {sign}{row}.failed_session_count, {sign}{row}.reports, {sign}1,
  {no} WHERE NOT EXISTS (SELECT 1 FROM reports_unsummeddomain WHERE domain_id = {row}.domain_id)
"""
ALL_SESSIONS = "{row}.policy_type = '' AND {row}.result_type = ''"
EVENTS = {"INSERT": ("NEW",), "UPDATE": ("OLD", "NEW"), "DELETE": ("OLD",)}


def statements(postgresql):
    for event, rows in EVENTS.items():
        no, signs = "false" if postgresql else "0", {"OLD": "-", "NEW": ""}
        body = "".join(f"{INTO}{ROW.format(row=row, sign=signs[row], no=no)};" for row in rows)
        name, when = f"trinco_day_{event.lower()}", ALL_SESSIONS.format(row=rows[0])
        after = f"CREATE TRIGGER {name} AFTER {event} ON reports_dailytotal FOR EACH ROW WHEN ({when})"
        if postgresql:
            yield (
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ "
                f"BEGIN {body} RETURN NULL; END $$"
            )
            yield f"{after} EXECUTE FUNCTION {name}()"
        else:
            yield f"{after} BEGIN {body} END"


def watch(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        for statement in statements(schema_editor.connection.vendor == "postgresql"):
            cursor.execute(statement)
        cursor.execute("INSERT INTO reports_unsummeddomain (domain_id) SELECT id FROM domains_hosteddomain")


def let_go(apps, schema_editor):
    postgresql = schema_editor.connection.vendor == "postgresql"
    with schema_editor.connection.cursor() as cursor:
        for event in EVENTS:
            name = f"trinco_day_{event.lower()}"
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
        migrations.RunPython(watch, let_go),
    ]
