"""The index of words that chat/search.py asks.

Triggers keep it true to the rows. Each names no table but its own and the index: SQLite refuses to
build a table anew that a trigger elsewhere names. A migration that makes it do so with one of the
two tables takes their triggers along, and has to run `index` again; the tests of the search notice.
"""

from django.db import migrations

SQLITE = """
CREATE VIRTUAL TABLE IF NOT EXISTS chat_message_words USING fts5(
    content, content='', prefix='1 2 3', tokenize="unicode61 remove_diacritics 2");

CREATE VIRTUAL TABLE IF NOT EXISTS chat_title_words USING fts5(
    title, place, prefix='1 2 3', tokenize="unicode61 remove_diacritics 2");

DELETE FROM chat_title_words;

INSERT INTO chat_message_words(chat_message_words) VALUES ('delete-all');

CREATE TRIGGER IF NOT EXISTS chat_message_words_new AFTER INSERT ON chat_message BEGIN
    INSERT INTO chat_message_words(rowid, content)
    VALUES (new.id, substr(new.content, 1, 100000));
END;

CREATE TRIGGER IF NOT EXISTS chat_message_words_old AFTER DELETE ON chat_message BEGIN
    INSERT INTO chat_message_words(chat_message_words, rowid, content)
    VALUES ('delete', old.id, substr(old.content, 1, 100000));
END;

CREATE TRIGGER IF NOT EXISTS chat_message_words_other AFTER UPDATE OF content ON chat_message BEGIN
    INSERT INTO chat_message_words(chat_message_words, rowid, content)
    VALUES ('delete', old.id, substr(old.content, 1, 100000));
    INSERT INTO chat_message_words(rowid, content)
    VALUES (new.id, substr(new.content, 1, 100000));
END;

CREATE TRIGGER IF NOT EXISTS chat_title_words_new AFTER INSERT ON chat_conversation BEGIN
    INSERT INTO chat_title_words(title, place) VALUES (new.title, new.id);
END;

CREATE TRIGGER IF NOT EXISTS chat_title_words_old AFTER DELETE ON chat_conversation BEGIN
    DELETE FROM chat_title_words WHERE chat_title_words MATCH 'place:' || old.id;
END;

CREATE TRIGGER IF NOT EXISTS chat_title_words_other AFTER UPDATE OF title ON chat_conversation BEGIN
    UPDATE chat_title_words SET title = new.title
    WHERE chat_title_words MATCH 'place:' || old.id;
END;

INSERT INTO chat_message_words(rowid, content)
    SELECT id, substr(content, 1, 100000) FROM chat_message;

INSERT INTO chat_title_words(title, place) SELECT title, id FROM chat_conversation;
"""

# Punctuation would make PostgreSQL see addresses, numbers and tags where people see words; and
# what is longer than this might not fit into a tsvector, and then could not be stored at all. The
# columns are for the database alone: to find words anew in 10,000 messages took 15 s.
POSTGRESQL = r"""
CREATE OR REPLACE FUNCTION chat_words(said text) RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN to_tsvector('simple'::regconfig, translate(
        left(said, 100000),
        E'!"#$%&\'()*+,-./:;<=>?@[\\]^_`{|}~', repeat(' ', 32)));

ALTER TABLE chat_message ADD COLUMN words tsvector
    GENERATED ALWAYS AS (chat_words(content)) STORED;

ALTER TABLE chat_conversation ADD COLUMN words tsvector
    GENERATED ALWAYS AS (chat_words(title)) STORED;

CREATE INDEX chat_message_words ON chat_message USING gin (words);

CREATE INDEX chat_title_words ON chat_conversation USING gin (words);
"""

NO_SQLITE = """
DROP TRIGGER chat_message_words_new;

DROP TRIGGER chat_message_words_old;

DROP TRIGGER chat_message_words_other;

DROP TRIGGER chat_title_words_new;

DROP TRIGGER chat_title_words_old;

DROP TRIGGER chat_title_words_other;

DROP TABLE chat_message_words;

DROP TABLE chat_title_words;
"""

NO_POSTGRESQL = """
ALTER TABLE chat_message DROP COLUMN words;

ALTER TABLE chat_conversation DROP COLUMN words;

DROP FUNCTION chat_words(text);
"""


def index(apps, schema_editor):
    execute(schema_editor, {"sqlite": SQLITE, "postgresql": POSTGRESQL})


def no_index(apps, schema_editor):
    execute(schema_editor, {"sqlite": NO_SQLITE, "postgresql": NO_POSTGRESQL})


def execute(schema_editor, scripts):
    for statement in scripts[schema_editor.connection.vendor].split("\n\n"):
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0007_conversations_in_order"),
    ]

    operations = [migrations.RunPython(index, no_index)]
