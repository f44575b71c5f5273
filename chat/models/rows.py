"""Statements for single rows, made once instead of once for each row.

Making the statement anew is most of what an insert or update by the ORM costs; a question and
its answer take five of them. See docs/decisions/0013-statements-made-once.md.
"""

from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, Model, QuerySet

M = TypeVar("M", bound=Model)
# No value of ours.
PLACE = "\0"


def insert(row: Model) -> None:
    """Store a new row, as `row.save(force_insert=True)` does, without signals.

    A key that the database gives out is set. Raises IntegrityError like save.
    """
    fields, statement = _insert(type(row))
    database = _database()
    values = [field.get_db_prep_save(field.pre_save(row, True), database) for field in fields]
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        (key,) = cursor.fetchone()
    if row.pk is None:
        row.pk = key
    row._state.adding, row._state.db = False, database.alias


def update(model: type[Model], key: Any, **values: Any) -> None:
    """Change the row with this primary key, as `filter(pk=key).update(**values)` does."""
    fields, statement = _update(model, tuple(values))
    given = zip(fields, [*values.values(), key], strict=True)
    database = _database()
    with database.cursor() as cursor:
        cursor.execute(statement, [field.get_db_prep_save(it, database) for field, it in given])


def _database() -> BaseDatabaseWrapper:
    """This thread's own: `connection` would look for it again for every value of a row."""
    return connections[DEFAULT_DB_ALIAS]


@cache
def _insert(model: type[Model]) -> tuple[list[Field], str]:
    key = model._meta.pk
    fields = [it for it in model._meta.local_concrete_fields if not it.db_returning or it != key]
    names = ", ".join(map(_column, fields))
    places = ", ".join(["%s"] * len(fields))
    table = connection.ops.quote_name(model._meta.db_table)
    # Only columns and tables of our own models; values are parameters.
    statement = f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING {_column(key)}"  # noqa: S608
    return fields, statement


@cache
def _update(model: type[Model], names: tuple[str, ...]) -> tuple[list[Field], str]:
    columns = {field.name: field for field in model._meta.local_concrete_fields}
    fields, key = [columns[name] for name in names], model._meta.pk
    changes = ", ".join(f"{_column(field)} = %s" for field in fields)
    table = connection.ops.quote_name(model._meta.db_table)
    statement = f"UPDATE {table} SET {changes} WHERE {_column(key)} = %s"  # noqa: S608
    return [*fields, key], statement


def _column(field: Field) -> str:
    return connection.ops.quote_name(str(field.column))


class Prepared(Generic[M]):
    """A query whose SQL is made once. `make` gets a text to look for, and may leave it out."""

    def __init__(self, make: Callable[[str], QuerySet[M]]) -> None:
        self._make = make

    @cached_property
    def _parts(self) -> tuple[type[M], str, tuple[Any, ...]]:
        found = self._make(PLACE)
        return found.model, *found.query.sql_with_params()

    def __call__(self, text: str = "") -> list[M]:
        """The rows that are there now."""
        model, statement, values = self._parts
        given = [text if value == PLACE else value for value in values]
        return list(model._base_manager.raw(statement, given))
