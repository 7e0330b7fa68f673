from django.db import models

from django.db import migrations
from trinco.panel.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('accounts', '0010_closed_organisations'),
    ]

    operations = [
        AddIndexOnline(
            model_name='auditentry',
            index=models.Index(fields=['organisation', 'subject', '-at', '-id'], name='log_by_subject'),
        ),
        AddIndexOnline(
            model_name='auditentry',
            index=models.Index(fields=['organisation', 'actor', '-at', '-id'], name='log_by_actor'),
        ),
        AddIndexOnline(
            model_name='auditentry',
            index=models.Index(fields=['organisation', 'action', '-at', '-id'], name='log_by_action'),
        ),
    ]
