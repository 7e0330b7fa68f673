from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('certificates', '0003_acme_orders'),
    ]

    operations = [
        migrations.AddField(
            model_name='attempt',
            name='rehearsed',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='hostcertificate',
            name='rehearsed',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
