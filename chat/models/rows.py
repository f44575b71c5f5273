"""Statements for single rows, made once instead of once for each row.

Making the statement anew is most of what an insert or update by the ORM costs; a question and
its answer take five of them. See docs/decisions/0013-statements-made-once.md.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from operator import attrgetter
from types import NoneType
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import (
    AutoField,
    BigAutoField,
    BooleanField,
    CharField,
    DateTimeField,
    Field,
    ForeignKey,
    IntegerField,
    Model,
    QuerySet,
    TextField,
)
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler

R = TypeVar("R")
PLAIN: dict[type[Field], frozenset[type]] = {
    AutoField: frozenset({int, NoneType}),
    BigAutoField: frozenset({int, NoneType}),
    CharField: frozenset({str, NoneType}),
    TextField: frozenset({str, NoneType}),
    IntegerField: frozenset({int, NoneType}),
    BooleanField: frozenset({bool, NoneType}),
    DateTimeField: frozenset({NoneType}),
}
# No text of ours.
PLACE = "\0"


@dataclass(frozen=True, slots=True)
class _Statement:
    """`read`: gives the value of each field, of a row. `plain`: the types that go as they are."""

    text: str
    fields: Sequence[Field]
    plain: Sequence[frozenset[type]]
    read: Sequence[Callable[[Model], Any]] = ()

    def values(self, given: Iterable[Any], database: BaseDatabaseWrapper) -> list[Any]:
        return [
            value if type(value) in plain else field.get_db_prep_save(value, database)
            for value, field, plain in zip(given, self.fields, self.plain, strict=True)
        ]


def insert(row: Model) -> None:
    """Store a new row, as `row.save(force_insert=True)` does, without signals.

    A key that the database gives out is set. Raises IntegrityError like save.
    """
    statement, database = _insert(type(row)), _database()
    values = statement.values([read(row) for read in statement.read], database)
    with database.cursor() as cursor:
        cursor.execute(statement.text, values)
        (key,) = cursor.fetchone()
    if row.pk is None:
        row.pk = key
    row._state.adding, row._state.db = False, database.alias


def update(model: type[Model], key: Any, **values: Any) -> None:
    """Change the row with this primary key, as `filter(pk=key).update(**values)` does."""
    update_where(model, {str(model._meta.pk.name): key}, **values)


def update_where(model: type[Model], keys: Mapping[str, Any], **values: Any) -> None:
    """Change the rows whose fields have these values, as `filter(**keys).update(**values)` does."""
    statement, database = _update(model, tuple(values), tuple(keys)), _database()
    given = statement.values([*values.values(), *keys.values()], database)
    with database.cursor() as cursor:
        cursor.execute(statement.text, given)


def _database() -> BaseDatabaseWrapper:
    """This thread's own: `connection` would look for it again for every value of a row."""
    return connections[DEFAULT_DB_ALIAS]


@cache
def _insert(model: type[Model]) -> _Statement:
    key = model._meta.pk
    fields = [it for it in model._meta.local_concrete_fields if not it.db_returning or it != key]
    names = ", ".join(map(_column, fields))
    places = ", ".join(["%s"] * len(fields))
    table = connection.ops.quote_name(model._meta.db_table)
    # Only columns and tables of our own models; values are parameters.
    text = f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING {_column(key)}"  # noqa: S608
    return _Statement(text, fields, list(map(_plain, fields)), list(map(_reader, fields)))


@cache
def _update(model: type[Model], names: tuple[str, ...], keys: tuple[str, ...]) -> _Statement:
    columns = {field.name: field for field in model._meta.local_concrete_fields}
    fields = [columns[name] for name in (*names, *keys)]
    equal = [f"{_column(field)} = %s" for field in fields]
    changes, condition = ", ".join(equal[: len(names)]), " AND ".join(equal[len(names) :])
    table = connection.ops.quote_name(model._meta.db_table)
    text = f"UPDATE {table} SET {changes} WHERE {condition}"  # noqa: S608
    return _Statement(text, fields, list(map(_plain, fields)))


def _plain(field: Field) -> frozenset[type]:
    """The types whose values this field would leave as they are, on every database."""
    target = field.target_field if isinstance(field, ForeignKey) else field
    for kind, types in PLAIN.items():
        if isinstance(target, kind) and _has_own(target, kind):
            return types
    return frozenset()


def _has_own(field: Field, kind: type[Field]) -> bool:
    """Whether it prepares values as fields of this kind do."""
    ways = ("get_prep_value", "get_db_prep_value", "get_db_prep_save")
    return all(getattr(type(field), way) == getattr(kind, way) for way in ways)


def _reader(field: Field) -> Callable[[Model], Any]:
    is_set = getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    is_read = type(field).pre_save in {Field.pre_save, DateTimeField.pre_save}
    if is_read and not is_set and not field.has_db_default():
        return attrgetter(field.attname)
    return lambda row: field.pre_save(row, True)


def _column(field: Field) -> str:
    return connection.ops.quote_name(str(field.column))


@dataclass(frozen=True, slots=True)
class _Compiled(Generic[R]):
    """`of_row` makes of a row, with its values converted, what the query would have given."""

    statement: str
    values: Sequence[Any]
    compiler: SQLCompiler
    converters: dict[int, Any]
    of_row: Callable[[Sequence[Any]], R]


class Prepared(Generic[R]):
    """A query whose SQL is made once: of whole rows of a model, or of values_list().

    `make` gets a text to look for, and may leave it out. Related rows are not loaded along.
    """

    def __init__(self, make: Callable[[str], QuerySet[Any, R]]) -> None:
        self._make = make

    def __call__(self, text: str = "") -> list[R]:
        """What is there now."""
        query = self._query
        given = [text if value == PLACE else value for value in query.values]
        with _database().cursor() as cursor:
            cursor.execute(query.statement, given)
            rows: Iterable[Sequence[Any]] = cursor.fetchall()
        if query.converters:
            rows = query.compiler.apply_converters(rows, query.converters)
        return list(map(query.of_row, rows))

    @cached_property
    def _query(self) -> _Compiled[R]:
        """As QuerySet and SQLCompiler do it for each query."""
        queryset = self._make(PLACE)
        compiler = queryset.query.get_compiler(DEFAULT_DB_ALIAS)
        statement, values = compiler.as_sql()
        columns = [column for column, *_ in compiler.select]
        of_row: Callable[[Sequence[Any]], Any] = tuple
        if queryset._iterable_class is ModelIterable:
            names = [column.target.attname for column in columns]
            of_row = partial(queryset.model.from_db, DEFAULT_DB_ALIAS, names)
        return _Compiled(statement, values, compiler, compiler.get_converters(columns), of_row)
