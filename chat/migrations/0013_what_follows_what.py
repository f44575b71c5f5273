"""Links the messages there are: an answer follows its question, a question what was said before."""

from django.db import migrations

ANSWERS = """
UPDATE chat_message
SET parent_id = (SELECT message_id FROM chat_agentrun WHERE id = chat_message.run_id)
WHERE run_id IS NOT NULL
"""
QUESTIONS = """
UPDATE chat_message SET parent_id = told.before
FROM (SELECT id, LAG(id) OVER (PARTITION BY conversation_id ORDER BY id) AS before
      FROM chat_message) AS told
WHERE told.id = chat_message.id AND chat_message.run_id IS NULL
"""
NONE = "UPDATE chat_message SET parent_id = NULL WHERE parent_id IS NOT NULL"


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0012_messages_are_a_tree"),
    ]

    operations = [
        migrations.RunSQL(ANSWERS, NONE),
        migrations.RunSQL(QUESTIONS, migrations.RunSQL.noop),
    ]
