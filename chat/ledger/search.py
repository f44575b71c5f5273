"""Words in the ledger: which tools and conversations they mean.

A ledger of millions of calls knows hundreds of tools. Their names are read off the index of tools,
each with its newest title, and looked through here; see docs/decisions/0020-finding-tool-calls.md.
"""

from django.db import connection

from chat.excerpts import WORD, Query, fold

# Models may invent names; more than these are not looked through.
MAX_TOOLS = 3_000
# From each name straight to the next one: https://wiki.postgresql.org/wiki/Loose_indexscan
_NAMES = """
    WITH RECURSIVE known(name) AS (
        SELECT min(tool) FROM chat_toolrun
        UNION ALL
        SELECT (SELECT min(tool) FROM chat_toolrun WHERE tool > name)
        FROM known WHERE name IS NOT NULL)
    SELECT name FROM known WHERE name IS NOT NULL LIMIT %s"""
# The newest title of each: by the same index.
_TITLES = f"""
    SELECT name, (
        SELECT title FROM chat_toolrun WHERE tool = name ORDER BY created_at DESC, id DESC LIMIT 1)
    FROM ({_NAMES}) AS names"""  # noqa: S608 (constants only)


def known_tools(most: int) -> list[str]:
    """The names of tools that were asked for, also of those that never were there; in order."""
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [most])
        return [name for (name,) in cursor.fetchall()]


def tools_named(query: Query) -> list[str]:
    """Tools with all the words in their name and title."""
    with connection.cursor() as cursor:
        cursor.execute(_TITLES, [MAX_TOOLS])
        known = cursor.fetchall()
    return [name for name, title in known if query.terms and _has(f"{name} {title}", query)]


def _has(text: str, query: Query) -> bool:
    words = [fold(word) for word in WORD.findall(text)]
    # What is whole ends with a space, so that what is only begun need not.
    said = f" {' '.join(words)} "
    *whole, last = (" " + " ".join(map(fold, term)) for term in query.terms)
    return (
        all(f"{term} " in said for term in whole)
        and (last if query.is_open else f"{last} ") in said
    )
