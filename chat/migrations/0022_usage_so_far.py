from django.db import migrations

BATCH = 2000


def fill(apps, schema_editor):
    """What runs that have ended here used; imported ones ran elsewhere and have no lease."""
    alias = schema_editor.connection.alias
    AgentRun = apps.get_model("chat", "AgentRun")
    UsageEntry = apps.get_model("chat", "UsageEntry")
    runs = AgentRun.objects.using(alias).filter(finished_at__isnull=False, lease__gt=0).order_by()
    values = runs.values_list("owner_id", "model_name", "finished_at", "usage")
    entries = []
    for owner_id, model_name, finished_at, usage in values.iterator(chunk_size=BATCH):
        known = {name: usage.get(name) for name in ("input_tokens", "output_tokens", "cost")}
        entries.append(
            UsageEntry(
                person_id=owner_id, model_name=model_name, at=finished_at, runs=1, **known
            )
        )
        if len(entries) == BATCH:
            UsageEntry.objects.using(alias).bulk_create(entries)
            entries = []
    UsageEntry.objects.using(alias).bulk_create(entries)


class Migration(migrations.Migration):
    dependencies = [("chat", "0021_quotas_and_usage")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
