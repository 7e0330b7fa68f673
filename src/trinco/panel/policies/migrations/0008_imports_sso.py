from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('policies', '0007_import_tags'),
    ]

    operations = [
        migrations.AlterField(
            model_name='importline',
            name='ending',
            field=models.CharField(choices=[('waiting', 'Waiting'), ('added', 'Added'), ('there', 'There already'), ('name', 'Not a name that can be hosted'), ('twice', 'Twice in the list'), ('taken', 'Served for somebody else'), ('ours', 'A name of this installation'), ('mx', 'A mail server that is none'), ('wide', 'A pattern that is too wide'), ('tags', 'A tag that is none'), ('client', 'For an organisation that is not there'), ('several', 'For one of several organisations'), ('factor', 'For an organisation that wants a second factor'), ('sso', 'For an organisation that wants single sign-on')], default='waiting', max_length=7),
        ),
    ]
