"""Add up what is older than the table of days. Not one transaction: a kill loses nothing, and the next run goes on."""

import sys

from django.db import migrations

from trinco.panel.reports import gathering


def gather(apps, schema_editor):
    gathering.gather(_told)


def _told(done, of):
    if of > gathering.AT_ONCE:
        sys.stderr.write(f"Daily totals added up: {done:,} of {of:,} domains\n")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('reports', '0010_days_of_organisations'),
    ]

    operations = [
        migrations.RunPython(gather, migrations.RunPython.noop),
    ]
