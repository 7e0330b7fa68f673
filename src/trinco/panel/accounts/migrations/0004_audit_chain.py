"""Take the lines of the log that there are into their organisations' chains, and have PostgreSQL keep them as they are.

Not one transaction: some lines at a time, so that the version of before goes on writing beside it, and a kill loses
nothing. What that version writes later is taken in by whoever writes next.
"""

from django.db import migrations, transaction

from trinco.panel.accounts import chain

AT_ONCE = 500

KEEP = """
CREATE OR REPLACE FUNCTION trinco_audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.number IS NULL AND NEW.id = OLD.id AND NEW.organisation_id = OLD.organisation_id THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'the audit log is append-only';
END $$;
DROP TRIGGER IF EXISTS trinco_audit_stays ON accounts_auditentry;
CREATE TRIGGER trinco_audit_stays BEFORE UPDATE OR DELETE ON accounts_auditentry
  FOR EACH ROW EXECUTE FUNCTION trinco_audit_stays();
"""
LET_GO = """
DROP TRIGGER IF EXISTS trinco_audit_stays ON accounts_auditentry;
DROP FUNCTION IF EXISTS trinco_audit_stays();
"""


def take_in(apps, schema_editor):
    Entry, Head = apps.get_model("accounts", "AuditEntry"), apps.get_model("accounts", "AuditHead")
    loose = Entry.objects.filter(number=None).order_by()
    for organisation in list(loose.values_list("organisation", flat=True).distinct()):
        while _some(Entry, Head, organisation):
            pass


def _some(Entry, Head, organisation):
    with transaction.atomic():
        Head.objects.bulk_create([Head(organisation_id=organisation)], ignore_conflicts=True)
        head = Head.objects.select_for_update().get(organisation=organisation)
        lines = list(Entry.objects.filter(organisation=organisation, number=None).order_by("pk")[:AT_ONCE])
        for line in lines:
            line.number, line.previous = head.number + 1, head.digest
            line.digest = chain.digest(line)
            head.number, head.digest = line.number, line.digest
        Entry.objects.bulk_update(lines, ["number", "previous", "digest"])
        head.save()
    return len(lines)


def keep(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        with transaction.atomic():
            schema_editor.execute(KEEP)


def let_go(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(LET_GO)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("accounts", "0003_organisations"),
    ]

    operations = [
        migrations.RunPython(take_in, migrations.RunPython.noop),
        migrations.RunPython(keep, let_go),
    ]
