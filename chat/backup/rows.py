"""Rows as lines of JSON, the same for every database: what one wrote, another takes in."""

import base64
import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any
from uuid import UUID

from django.core.management.color import no_style
from django.db import connection, models

AT_ONCE = 1000
AS_TEXT = (datetime, date, time, timedelta, Decimal, UUID)

Model = type[models.Model]


def columns(model: Model) -> list[models.Field]:
    """What is to be stored; the database makes the rest by itself."""
    return [field for field in model._meta.local_concrete_fields if not field.generated]


def lines(model: Model) -> Iterator[bytes]:
    """Each row as a list of its columns' values. Holds few of them at a time."""
    names = [field.attname for field in columns(model)]
    rows = model._base_manager.order_by("pk").values_list(*names)
    for row in rows.iterator(chunk_size=AT_ONCE):
        yield json.dumps(row, default=_plain, separators=(",", ":")).encode() + b"\n"


def _plain(value: Any) -> str:
    if isinstance(value, AS_TEXT):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return base64.b64encode(value).decode()
    raise TypeError(f"A backup cannot hold a {type(value).__name__}.")


def store(model: Model, rows: Iterable[bytes]) -> int:
    """Insert them as they are: no default, no time of now. How many they were."""
    fields, quote = columns(model), connection.ops.quote_name
    into = ", ".join(quote(str(field.column)) for field in fields)
    values = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({into}) VALUES ({values})"  # noqa: S608 (our names)
    count, waiting = 0, iter(rows)
    with connection.cursor() as cursor:
        while batch := [_values(fields, line) for line in islice(waiting, AT_ONCE)]:
            cursor.executemany(statement, batch)
            count += len(batch)
    return count


def _values(fields: list[models.Field], line: bytes) -> list[Any]:
    row = json.loads(line)
    return [_stored(field, value) for field, value in zip(fields, row, strict=True)]


def _stored(field: models.Field, value: Any) -> Any:
    if isinstance(field, models.JSONField) and value is None and not field.null:
        return connection.ops.adapt_json_value(None, field.encoder)
    return field.get_db_prep_save(field.to_python(value), connection)


def clear(found: list[Model]) -> None:
    """Delete what migrations put in. References are looked at when the transaction ends."""
    with connection.cursor() as cursor:
        for model in found:
            # The name of a table of ours, quoted: nothing that anybody has typed.
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(model._meta.db_table)}")  # noqa: S608


def go_on_counting(found: list[Model]) -> None:
    """New rows get numbers after those that were stored."""
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), found):
            cursor.execute(statement)
