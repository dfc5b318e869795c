"""The tables of conversations with the Pilot. Rows never leave ``lao.state``; chats.py says what does."""

from __future__ import annotations

import peewee as pw

from lao.state.tables import JsonField, Row, RunRow


class ChatRow(Row):
    """A conversation. ``summary`` stands for its turns up to the number ``summed``; those up to ``cleared`` are
    forgotten."""

    id = pw.AutoField()
    title = pw.TextField(default="")
    project = pw.TextField()
    summary = pw.TextField(default="")
    summed = pw.IntegerField(default=0)
    cleared = pw.IntegerField(default=0)
    created_at = pw.FloatField()
    updated_at = pw.FloatField()


class ChatTurnRow(Row):
    """A question and what came of it; ``state`` is a ``TurnState``, ``tools`` the calls that were made for it."""

    id = pw.AutoField()
    chat = pw.ForeignKeyField(ChatRow, backref="turns", on_delete="CASCADE")
    seq = pw.IntegerField()
    question = pw.TextField()
    state = pw.TextField(index=True)
    answer = pw.TextField(default="")
    error = pw.TextField(default="")
    run = pw.ForeignKeyField(RunRow, null=True, on_delete="SET NULL")
    tokens = pw.IntegerField(default=0)
    tools = JsonField(default=list)
    created_at = pw.FloatField()
    ended_at = pw.FloatField(null=True)

    class Meta:
        indexes = ((("chat", "seq"), True),)


class TurnEventRow(Row):
    """What a terminal shows of a turn while it goes on. Only of the latest turns."""

    turn = pw.ForeignKeyField(ChatTurnRow, backref="events", on_delete="CASCADE")
    seq = pw.IntegerField()
    kind = pw.TextField()
    text = pw.TextField(default="")
    data = JsonField(default=dict)
    at = pw.FloatField()

    class Meta:
        primary_key = pw.CompositeKey("turn", "seq")


CHAT_TABLES = (ChatRow, ChatTurnRow, TurnEventRow)
