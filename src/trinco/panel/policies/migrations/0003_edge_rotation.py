"""Which addresses an edge has, and whether it is in rotation."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('policies', '0002_settled'),
    ]

    operations = [
        migrations.AddField(model_name='edgenode', name='addresses', field=models.JSONField(default=list, db_default=[])),
        migrations.AddField(model_name='edgenode', name='awaited', field=models.PositiveBigIntegerField(null=True)),
        migrations.AddField(model_name='edgenode', name='awaited_since', field=models.DateTimeField(null=True)),
        migrations.AddField(model_name='edgenode', name='withdrawn_at', field=models.DateTimeField(null=True)),
        migrations.AddField(
            model_name='edgenode', name='withdrawn_revision', field=models.PositiveBigIntegerField(null=True)
        ),
        migrations.AddField(model_name='edgenode', name='waived_at', field=models.DateTimeField(null=True)),
    ]
