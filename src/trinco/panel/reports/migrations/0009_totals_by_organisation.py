from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('reports', '0008_days_that_went'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='dailytotal',
            index=models.Index(condition=models.Q(('policy_type', ''), ('result_type', '')), fields=['organisation', 'day', 'trust', 'submitter', 'domain', 'successful_session_count', 'failed_session_count', 'reports', 'policy_type', 'result_type'], name='totals_by_organisation'),
        ),
        migrations.RemoveIndex(
            model_name='dailytotal',
            name='totals_of_organisation',
        ),
    ]
