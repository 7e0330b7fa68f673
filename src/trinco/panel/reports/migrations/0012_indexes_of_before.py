"""Take away the indexes that 0010 made others for. By itself, since nobody reads the table while PostgreSQL does so."""

from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0011_days_gathered'),
    ]

    operations = [
        migrations.RemoveIndex(
            model_name='dailytotal',
            name='totals_of_sessions',
        ),
        migrations.RemoveIndex(
            model_name='dailytotal',
            name='totals_of_failures',
        ),
    ]
