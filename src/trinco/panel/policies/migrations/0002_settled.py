"""What of an edge's word the others had time to notice."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("policies", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="edgenode",
            name="settled",
            field=models.PositiveBigIntegerField(null=True),
        ),
    ]
