import django.db.models.deletion
import uuid
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0003_mcp_servers_and_tools"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="mcpserver",
            name="authorisation",
            field=models.CharField(
                choices=[
                    ("none", "none, or the headers above"),
                    ("shared", "OAuth: an admin, once for all"),
                    ("personal", "OAuth: each person for themselves"),
                ],
                default="none",
                help_text="Whose account at the server its tools act for.",
                max_length=8,
            ),
        ),
        migrations.AddField(
            model_name="mcpserver",
            name="oauth_client_id",
            field=models.CharField(
                blank=True, editable=False, max_length=500, verbose_name="client ID"
            ),
        ),
        migrations.AddField(
            model_name="mcpserver",
            name="oauth_client_secret",
            field=models.TextField(blank=True, editable=False),
        ),
        migrations.CreateModel(
            name="AuthorisationRequest",
            fields=[
                ("state_hash", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("is_shared", models.BooleanField()),
                ("sealed", models.TextField()),
                ("expires_at", models.DateTimeField()),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="chat.mcpserver",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="MCPAuthorisation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("sealed", models.TextField(editable=False)),
                ("version", models.PositiveIntegerField(default=0, editable=False)),
                ("renewing_until", models.DateTimeField(editable=False, null=True)),
                ("refused_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "server",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="authorisations",
                        to="chat.mcpserver",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "verbose_name": "MCP authorisation",
                "ordering": ["server__name", "user__username"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("server", "user"), name="authorisation_once_per_user"
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("user", None)),
                        fields=("server",),
                        name="authorisation_shared_once",
                    ),
                ],
            },
        ),
    ]
