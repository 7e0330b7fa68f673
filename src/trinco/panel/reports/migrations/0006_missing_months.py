from django.db import migrations
from django.db.models import Exists, OuterRef
from django.db.models.functions import TruncMonth
from django.utils import timezone

AT_ONCE = 1000


def missing(apps, schema_editor):
    """Months whose totals are older than the table of months have no row there: they are to be added up."""
    months = apps.get_model("reports", "SummedMonth").objects
    totals = apps.get_model("reports", "DailyTotal").objects.filter(policy_type="", result_type="").order_by()
    told = totals.annotate(month=TruncMonth("day"))
    known = months.filter(domain=OuterRef("domain"), month=OuterRef("month"))
    found = list(told.exclude(Exists(known)).values_list("organisation_id", "domain_id", "month").distinct())
    now = timezone.now()
    rows = (
        months.model(organisation_id=organisation, domain_id=domain, month=month, due_at=now)
        for organisation, domain, month in found
    )
    months.bulk_create(rows, ignore_conflicts=True, batch_size=AT_ONCE)


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0005_month_failures'),
    ]

    operations = [
        migrations.RunPython(missing, migrations.RunPython.noop),
    ]
