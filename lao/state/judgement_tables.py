"""The table of what people said of finished plans, as a peewee model. Rows never leave ``lao.state``."""

from __future__ import annotations

import peewee as pw

from lao.state.tables import PlanRow, Row


class JudgementRow(Row):
    """A person's word on a plan. ``verdict``: accepted or rejected; ``commit``: HEAD as it was judged, or the commit
    that took the plan back (``reverted``)."""

    id = pw.AutoField()
    plan = pw.ForeignKeyField(PlanRow, backref="judgements", on_delete="CASCADE")
    verdict = pw.TextField()
    commit = pw.TextField(null=True)
    reverted = pw.BooleanField(default=False)
    note = pw.TextField(default="")
    at = pw.FloatField()


JUDGEMENT_TABLES = (JudgementRow,)
