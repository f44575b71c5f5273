from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0005_takeovers"),
    ]

    operations = [
        migrations.AddField(
            model_name="agentrun",
            name="is_packed",
            field=models.BooleanField(default=False, editable=False),
        ),
        migrations.AddField(
            model_name="runevent",
            name="parts",
            field=models.TextField(editable=False, null=True),
        ),
        migrations.AddIndex(
            model_name="agentrun",
            index=models.Index(
                condition=models.Q(("is_packed", False)),
                fields=["finished_at"],
                name="run_to_be_packed",
            ),
        ),
    ]
