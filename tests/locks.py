"""Locks in the database of these tests; other processes of the suite have others on one server."""

from django.db import connection


def is_somebody_waiting() -> bool:
    """Whether anybody waits for a lock. Only PostgreSQL tells."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])
