"""SQLite's checkpoints: what was committed moves from the write-ahead log into the database file.

Left to itself, SQLite does it within a commit, every thousand pages, and everybody's answers wait
for that disk. Here it happens beside the writes: https://www.sqlite.org/wal.html
"""

import asyncio
import logging

from django.db import connection

from chat.runs.pool import in_pool

logger = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 2


async def keep_checkpointing() -> None:
    """Checkpoint now and then, for ever; only SQLite needs it."""
    while connection.vendor == "sqlite":
        await asyncio.sleep(CHECKPOINT_SECONDS)
        try:
            await in_pool(checkpoint)
        except Exception:  # The next one does its work as well.
            logger.exception("The database could not be checkpointed")


def checkpoint() -> None:
    """Move what no reader needs any more; waits for nobody."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")
