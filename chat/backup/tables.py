"""The tables of a database at the migrations that were applied to it, and one moment of them.

As they were, not as the models are now: an upgrade makes its backup before it migrates, and a
backup of an older version is read by a newer one.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps.registry import Apps
from django.db import connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader

Migration = tuple[str, str]


class NewerDatabase(Exception):
    """A migration that this version does not know; its name is the text."""


@contextmanager
def one_moment() -> Iterator[None]:
    """All that is read within is as of one moment; nobody who writes waits for it."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            # Not `atomic`: that would take the lock that writers need.
            cursor.execute("BEGIN DEFERRED")
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def last_migrations() -> list[Migration]:
    """The last one of each app that was applied. Raises NewerDatabase."""
    loader = MigrationLoader(connection)
    applied = {key for key in loader.applied_migrations if key[0] in loader.migrated_apps}
    return _leaves(loader, applied)


def tables_at(migrations: list[Migration]) -> Apps:
    """The models as they were after these. Raises NewerDatabase."""
    loader = MigrationLoader(connection)
    _leaves(loader, set(migrations))
    return loader.project_state(migrations).apps


def migrate_to(migrations: list[Migration]) -> bool:
    """False where the database is further already, and so was left alone."""
    executor = MigrationExecutor(connection)
    known = executor.loader.graph.nodes
    wanted = {key for last in migrations for key in executor.loader.graph.forwards_plan(last)}
    if (set(executor.loader.applied_migrations) & set(known)) - wanted:
        return False
    executor.migrate(migrations)
    return True


def stored(tables: Apps) -> list[type[models.Model]]:
    """All that have rows of their own, those between two others included; always in one order."""
    found = tables.get_models(include_auto_created=True)
    own = [model for model in found if model._meta.managed and not model._meta.proxy]
    return sorted(own, key=lambda model: model._meta.label_lower)


def _leaves(loader: MigrationLoader, migrations: set[Migration]) -> list[Migration]:
    for key in sorted(migrations - set(loader.graph.nodes)):
        raise NewerDatabase(".".join(key))
    return sorted(
        key
        for key in migrations
        if not any(
            child.key in migrations and child.key[0] == key[0]
            for child in loader.graph.node_map[key].children
        )
    )
