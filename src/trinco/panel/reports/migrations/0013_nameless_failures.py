from django.db import models

from django.db import migrations
from trinco.panel.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ('reports', '0012_indexes_of_before'),
    ]

    operations = [
        AddIndexOnline(
            model_name='dailytotal',
            index=models.Index(condition=models.Q(('mx', ''), ('result_type', '-')), fields=['organisation', '-day', 'domain', 'submitter'], name='failures_nameless'),
        ),
    ]
