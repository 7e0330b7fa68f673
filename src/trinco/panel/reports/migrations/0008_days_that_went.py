from django.db import migrations
from django.db.models import Exists, OuterRef

AT_ONCE = 1000


def closed(apps, schema_editor):
    """Days that have totals and no report are days whose reports retention has removed."""
    days = apps.get_model("reports", "ClosedDay").objects
    totals = apps.get_model("reports", "DailyTotal").objects.filter(policy_type="", result_type="").order_by()
    reports = apps.get_model("reports", "Report").objects.filter(domain=OuterRef("domain"), day=OuterRef("day"))
    found = list(totals.exclude(Exists(reports.order_by())).values_list("domain_id", "day").distinct())
    rows = (days.model(domain_id=domain, day=day) for domain, day in found)
    days.bulk_create(rows, ignore_conflicts=True, batch_size=AT_ONCE)


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0007_closed_days'),
    ]

    operations = [
        migrations.RunPython(closed, migrations.RunPython.noop),
    ]
