"""Search over what a person's conversations are called and what was said in them.

One function; behind it, the index of words of the database (made by a migration): FTS5 in SQLite,
tsvector in PostgreSQL. Accents make no difference in SQLite; in PostgreSQL they do.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.paginator import Paginator
from django.db import connection

from chat.excerpts import Excerpt, Query, excerpt_of, marked
from chat.models import Conversation, Message

PAGE_SIZE = 20
# Of one person's matching messages, the newest are looked at; and so many conversations are found.
MAX_MATCHES = 20_000
MAX_FOUND = 1000

_MESSAGES_SQLITE = """
    SELECT max(id), conversation_id, max(updated_at) FROM (
        SELECT m.id, m.conversation_id, c.updated_at
        FROM chat_message_words CROSS JOIN chat_message m ON m.id = chat_message_words.rowid
            CROSS JOIN chat_conversation c ON c.id = m.conversation_id
        WHERE chat_message_words MATCH %s AND c.owner_id = %s AND c.deleted_at IS NULL
        ORDER BY chat_message_words.rowid DESC LIMIT %s)
    GROUP BY conversation_id ORDER BY 1 DESC LIMIT %s"""
# A time as text, as max() gives one; else Python's module would make another thing of it.
_TITLES_SQLITE = """
    SELECT NULL, c.id, c.updated_at || ''
    FROM chat_title_words CROSS JOIN chat_conversation c ON c.id = chat_title_words.place
    WHERE chat_title_words MATCH 'title : (' || %s || ')' AND c.owner_id = %s
        AND c.deleted_at IS NULL
    ORDER BY c.updated_at DESC LIMIT %s"""
# Of anybody, also deleted ones that are not erased yet.
_TITLED_SQLITE = """
    SELECT c.id
    FROM chat_title_words CROSS JOIN chat_conversation c ON c.id = chat_title_words.place
    WHERE chat_title_words MATCH 'title : (' || %s || ')'
    ORDER BY chat_title_words.rowid DESC LIMIT %s"""

_WANTED = "(websearch_to_tsquery('simple', %s) && to_tsquery('simple', %s))"
# MATERIALIZED: the index of words first; the planner would rather read all messages backwards.
_MESSAGES_POSTGRESQL = f"""
    WITH found AS MATERIALIZED (
        SELECT m.id, m.conversation_id, c.updated_at
        FROM chat_message m JOIN chat_conversation c ON c.id = m.conversation_id
        WHERE m.words @@ {_WANTED} AND c.owner_id = %s AND c.deleted_at IS NULL),
    newest AS (SELECT * FROM found ORDER BY id DESC LIMIT %s)
    SELECT max(id), conversation_id, max(updated_at) FROM newest
    GROUP BY conversation_id ORDER BY 1 DESC LIMIT %s"""  # noqa: S608 (constants only)
_TITLES_POSTGRESQL = f"""
    SELECT NULL, id, updated_at FROM chat_conversation
    WHERE words @@ {_WANTED} AND owner_id = %s AND deleted_at IS NULL
    ORDER BY updated_at DESC LIMIT %s"""  # noqa: S608 (constants only)
_TITLED_POSTGRESQL = f"""
    SELECT id FROM chat_conversation WHERE words @@ {_WANTED}
    ORDER BY created_at DESC LIMIT %s"""  # noqa: S608 (constants only)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hit:
    """A conversation in which all terms stand together: in its newest such message, else its title.

    `where` is title, question or answer; `excerpt` is a piece of that.
    """

    conversation: Conversation
    where: str
    excerpt: Excerpt
    title: Excerpt
    message_id: int | None
    date: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some of the hits, the conversation that moved last first."""

    hits: list[Hit]
    number: int
    pages: int
    total: int


def search(owner: Any, text: str, page: int = 1) -> Page:
    """Hits among the owner's conversations; a page past the last one is the last one.

    `text` may be anything: words that all have to be there, phrases in quotes; the last word
    may be only begun. Never raises for it.
    """
    query = Query.read(text)
    newest = _find(owner.pk, query) if query.terms else {}
    found = Paginator(list(newest), PAGE_SIZE).get_page(page)
    conversations = Conversation.objects.in_bulk(list(found))
    messages = Message.objects.in_bulk([pk for each in found if (pk := newest[each])])
    # One may have been erased meanwhile.
    shown = [conversations[pk] for pk in found if pk in conversations]
    return Page(
        hits=[_hit(each, messages.get(newest[each.pk] or 0), query) for each in shown],
        number=found.number,
        pages=found.paginator.num_pages,
        total=found.paginator.count,
    )


def titled(query: Query, most: int) -> list[UUID]:
    """Anybody's conversations with these words in their titles; of many, `most` of the newest."""
    if not query.terms:
        return []
    is_sqlite = connection.vendor == "sqlite"
    wanted = [_fts5(query)] if is_sqlite else _tsqueries(query)
    with connection.cursor() as cursor:
        cursor.execute(_TITLED_SQLITE if is_sqlite else _TITLED_POSTGRESQL, [*wanted, most])
        found = cursor.fetchall()
    return [UUID(pk) if is_sqlite else pk for (pk,) in found]


def _hit(conversation: Conversation, message: Message | None, query: Query) -> Hit:
    title = marked(str(conversation), query)
    if message is None:
        where, excerpt, date = "title", title, conversation.updated_at
    else:
        where = "question" if message.role == Message.Role.USER else "answer"
        excerpt, date = excerpt_of(message.content, query), message.created_at
    return Hit(
        conversation=conversation,
        where=where,
        excerpt=excerpt,
        title=title,
        message_id=message.pk if message else None,
        date=date,
    )


def _find(owner_id: int, query: Query) -> dict[UUID, int | None]:
    """The conversations, that which moved last first, each with its newest message that matches,
    or None.

    In order here, and not by a query that names them all: SQLite keeps each such query prepared
    for as many as there are, megabytes of them.
    """
    is_sqlite = connection.vendor == "sqlite"
    wanted = [_fts5(query)] if is_sqlite else _tsqueries(query)
    messages = _MESSAGES_SQLITE if is_sqlite else _MESSAGES_POSTGRESQL
    titles = _TITLES_SQLITE if is_sqlite else _TITLES_POSTGRESQL
    with connection.cursor() as cursor:
        cursor.execute(titles, [*wanted, owner_id, MAX_FOUND])
        rows = cursor.fetchall()
        cursor.execute(messages, [*wanted, owner_id, MAX_MATCHES, MAX_FOUND])
        rows += cursor.fetchall()
    as_uuid: Callable[[Any], UUID] = UUID if is_sqlite else lambda value: value
    newest = {conversation_id: message_id for message_id, conversation_id, _ in rows}
    moved = {conversation_id: updated_at for _, conversation_id, updated_at in rows}
    in_order = sorted(sorted(newest, key=str), key=lambda each: moved[each], reverse=True)
    return {as_uuid(conversation_id): newest[conversation_id] for conversation_id in in_order}


def _fts5(query: Query) -> str:
    """https://www.sqlite.org/fts5.html#full_text_query_syntax; words hold no syntax."""
    phrases = [f'"{" ".join(words)}"' for words in query.terms]
    return " AND ".join(phrases) + (" *" if query.is_open else "")


def _tsqueries(query: Query) -> list[str]:
    """What is whole, for websearch_to_tsquery; and what is only begun, for to_tsquery."""
    whole = query.terms[:-1] if query.is_open else query.terms
    begun = query.terms[-1] if query.is_open else ()
    quoted = " ".join(f'"{" ".join(words)}"' for words in whole)
    return [quoted, " <-> ".join(f"'{word}'" for word in begun) + (":*" if begun else "")]
