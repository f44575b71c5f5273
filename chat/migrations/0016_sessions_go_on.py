"""Whoever was signed in stays so: sessions move to the table that knows whose they are."""

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.db import migrations
from django.utils import timezone


def take_over(apps, schema_editor):
    before, after, people = (
        apps.get_model(name).objects.using(schema_editor.connection.alias)
        for name in ("sessions.Session", "chat.Session", settings.AUTH_USER_MODEL)
    )
    known, store = set(people.values_list("pk", flat=True)), SessionStore()
    for row in before.filter(expire_date__gt=timezone.now()).iterator():
        person = str(store.decode(row.session_data).get(SESSION_KEY, ""))
        if person.isdecimal() and int(person) in known:
            after.create(
                session_key=row.session_key,
                session_data=row.session_data,
                expire_date=row.expire_date,
                person_id=int(person),
            )


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0015_sessions"),
        ("sessions", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunPython(take_over, migrations.RunPython.noop)]
