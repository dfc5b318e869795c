"""The table of what plans demand, as a peewee model. Rows never leave ``lao.state``."""

from __future__ import annotations

import peewee as pw

from lao.state.tables import JsonField, PlanRow, Row


class RequirementRow(Row):
    """One demand of a plan. ``source``: front_matter, checklist, numbered or id; ``tasks``: ids of those that answer
    it; ``commands``: those that decide it."""

    plan = pw.ForeignKeyField(PlanRow, backref="requirements", on_delete="CASCADE")
    key = pw.TextField()
    seq = pw.IntegerField()
    text = pw.TextField()
    line = pw.IntegerField(default=0)
    source = pw.TextField()
    tasks = JsonField(default=list)
    commands = JsonField(default=list)

    class Meta:
        primary_key = pw.CompositeKey("plan", "key")


ACCEPTANCE_TABLES = (RequirementRow,)
