"""The tables of what plans demand and of tests that were written for it. Rows never leave ``lao.state``."""

from __future__ import annotations

import peewee as pw

from lao.state.tables import JsonField, PlanRow, Row, TaskRow


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


class WrittenTestRow(Row):
    """The test that a model has written for a task. ``mutants``: [path, line, what, noticed] of the wrong versions that
    it was tried on; null while it was not."""

    task = pw.ForeignKeyField(TaskRow, primary_key=True, on_delete="CASCADE")
    path = pw.TextField()
    command = pw.TextField()
    digest = pw.TextField()
    mutants = JsonField(null=True)


ACCEPTANCE_TABLES = (RequirementRow, WrittenTestRow)
