"""The tables of ``.lao/state.db`` as peewee models. Rows never leave ``lao.state``; records.py says what does."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import peewee as pw

from lao.core.states import PILOT_PLAN


class JsonField(pw.TextField):  # type: ignore[misc]  # peewee ships no types
    """A JSON document in a TEXT column."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"))

    def python_value(self, value: str | None) -> Any:
        try:
            return None if value is None else json.loads(value)
        except ValueError as error:  # nobody but a broken disk writes such a row
            raise pw.DatabaseError(f"malformed JSON in {self.model.__name__}.{self.name}: {error}") from error


class Row(pw.Model):  # type: ignore[misc]
    """Base: gives every table the prefix ``lao_``."""

    class Meta:
        legacy_table_names = False
        table_function: ClassVar[Any] = staticmethod(lambda model: "lao_" + model.__name__.removesuffix("Row").lower())


class MetaRow(Row):
    key = pw.TextField(primary_key=True)
    value = pw.TextField()


class PlanRow(Row):
    """A plan; ``id`` is the first 16 hex digits of the SHA-256 of its normalised text."""

    id = pw.TextField(primary_key=True)
    name = pw.TextField()
    file = pw.TextField()
    text = pw.TextField()
    options = JsonField(default=dict)  # front matter
    state = pw.TextField(index=True)
    epoch = pw.IntegerField(default=0)
    reason = pw.TextField(default="")
    workspace = pw.TextField()
    supersedes = pw.TextField(null=True)
    base_commit = pw.TextField(null=True)
    baseline = JsonField(null=True)  # dirty paths before LAO came: [[path, sha256], ...]
    priority = pw.IntegerField(default=0)
    created_at = pw.FloatField()
    updated_at = pw.FloatField()

    @classmethod
    def shown(cls, *fields: Any) -> Any:
        """A query of the plans that people have handed in."""
        return cls.select(*fields).where(cls.id != PILOT_PLAN)


class ChunkRow(Row):
    """A finished chunk of a large plan's decomposition."""

    plan = pw.ForeignKeyField(PlanRow, backref="chunks", on_delete="CASCADE")
    seq = pw.IntegerField()
    tasks = JsonField()

    class Meta:
        primary_key = pw.CompositeKey("plan", "seq")


class TaskRow(Row):
    """A micro-task. ``attempts`` counts attempts begun; the three counters count how attempts ended."""

    id = pw.AutoField()
    plan = pw.ForeignKeyField(PlanRow, backref="tasks", on_delete="CASCADE")
    seq = pw.IntegerField()
    title = pw.TextField()
    description = pw.TextField()
    file_paths = JsonField(default=list)
    commands = JsonField(default=list)
    state = pw.TextField(index=True)
    epoch = pw.IntegerField(default=0)
    attempts = pw.IntegerField(default=0)
    coder_failures = pw.IntegerField(default=0)
    verify_failures = pw.IntegerField(default=0)
    rejections = pw.IntegerField(default=0)
    reason = pw.TextField(default="")
    feedback = JsonField(default=list)
    files = JsonField(default=list)
    commit = pw.TextField(null=True)
    ladder = JsonField(default=dict)  # the attempt strategy's notes
    recheck = pw.TextField(default="")  # what it had reached when it was sent back (lao.state.dependents)
    updated_at = pw.FloatField()


class DependencyRow(Row):
    """``task`` waits for ``needs``."""

    task = pw.ForeignKeyField(TaskRow, backref="needs", on_delete="CASCADE")
    needs = pw.ForeignKeyField(TaskRow, backref="dependents", on_delete="CASCADE")

    class Meta:
        primary_key = pw.CompositeKey("task", "needs")


class RunRow(Row):
    """One run of a phase: who owns it (epoch, owner, lease) and how it ended."""

    id = pw.AutoField()
    plan = pw.ForeignKeyField(PlanRow, backref="runs", on_delete="CASCADE")
    task = pw.ForeignKeyField(TaskRow, backref="runs", null=True, on_delete="CASCADE")
    phase = pw.TextField()
    attempt = pw.IntegerField(default=1)
    state = pw.TextField(index=True)
    epoch = pw.IntegerField(default=0)
    owner = pw.TextField(default="")
    lease_until = pw.FloatField(default=0)
    reserved_by = pw.TextField(default="")  # the worker that prepares it (loads its model) but has not claimed it yet
    predecessor = pw.ForeignKeyField("self", null=True, backref="successors", on_delete="CASCADE")
    crashes = pw.IntegerField(default=0)
    strikes = pw.IntegerField(default=0)
    errors = pw.IntegerField(default=0)
    waits = pw.IntegerField(default=0)
    not_before = pw.FloatField(default=0)
    result = JsonField(null=True)
    reason = pw.TextField(default="")
    version = pw.TextField(default="")
    created_at = pw.FloatField()
    started_at = pw.FloatField(null=True)
    finished_at = pw.FloatField(null=True)

    class Meta:
        indexes = ((("plan", "task", "phase", "attempt"), True),)


class StepRow(Row):
    """The journal: one step of a run. ``state`` is intent or done."""

    run = pw.ForeignKeyField(RunRow, backref="steps", on_delete="CASCADE")
    seq = pw.IntegerField()
    kind = pw.TextField()
    label = pw.TextField()
    state = pw.TextField()
    intent = JsonField(null=True)
    result = JsonField(null=True)
    epoch = pw.IntegerField()
    at = pw.FloatField()

    class Meta:
        primary_key = pw.CompositeKey("run", "seq")


class FindingRow(Row):
    id = pw.AutoField()
    plan = pw.ForeignKeyField(PlanRow, on_delete="CASCADE", null=True)
    task = pw.ForeignKeyField(TaskRow, on_delete="CASCADE", null=True)
    run = pw.ForeignKeyField(RunRow, on_delete="CASCADE", null=True)
    finding = JsonField()
    at = pw.FloatField()


class ValidationRow(Row):
    """A command that LAO ran to judge work, with its real outcome. ``moment``: before, task, close."""

    id = pw.AutoField()
    plan = pw.ForeignKeyField(PlanRow, on_delete="CASCADE")
    task = pw.ForeignKeyField(TaskRow, on_delete="CASCADE", null=True)
    run = pw.ForeignKeyField(RunRow, on_delete="CASCADE")
    moment = pw.TextField()
    commit = pw.TextField(null=True)
    command = pw.TextField()
    exit_code = pw.IntegerField(null=True)
    seconds = pw.FloatField()
    output = pw.TextField()
    timed_out = pw.BooleanField(default=False)
    isolation = pw.TextField(default="")  # what surrounded it; "" when it was not recorded
    at = pw.FloatField()


class TodoRow(Row):
    task = pw.ForeignKeyField(TaskRow, on_delete="CASCADE")
    seq = pw.IntegerField()
    content = pw.TextField()
    status = pw.TextField()

    class Meta:
        primary_key = pw.CompositeKey("task", "seq")


class ModelEventRow(Row):
    """Model calls and what is done with models. ``kind``: call, embeddings, replayed, load, unload, found, gate,
    calibrate."""

    id = pw.AutoField()
    kind = pw.TextField(index=True)
    role = pw.TextField(default="")
    model = pw.TextField(default="")
    run = pw.ForeignKeyField(RunRow, null=True, on_delete="CASCADE")
    prompt_tokens = pw.IntegerField(default=0)
    completion_tokens = pw.IntegerField(default=0)
    cached_tokens = pw.IntegerField(null=True)
    seconds = pw.FloatField(default=0)
    count = pw.IntegerField(default=1)
    data = JsonField(null=True)
    at = pw.FloatField()


class AuditRow(Row):
    """Every tool call, granted or not."""

    id = pw.AutoField()
    run = pw.ForeignKeyField(RunRow, null=True, on_delete="CASCADE")
    tool = pw.TextField()
    arguments = JsonField()
    granted = pw.BooleanField()
    ok = pw.BooleanField(null=True)
    reason = pw.TextField(default="")
    seconds = pw.FloatField(default=0)
    isolation = pw.TextField(default="")  # of a command: what surrounded it
    at = pw.FloatField()


class WorkerRow(Row):
    """A running consumer; one row a queue, replaced at start."""

    queue = pw.TextField(primary_key=True)
    owner = pw.TextField()
    pid = pw.IntegerField()
    started_at = pw.FloatField()


class ProfileRow(Row):
    """What calibration found out about a model on a server; ``profile`` is the record's JSON."""

    server = pw.TextField()
    model = pw.TextField()
    profile = JsonField()
    at = pw.FloatField()

    class Meta:
        primary_key = pw.CompositeKey("server", "model")


class EnergyRow(Row):
    """What a run used while it was claimed at ``epoch``; ``joules`` is null while it runs or if not measured."""

    run = pw.ForeignKeyField(RunRow, backref="energy", on_delete="CASCADE")
    epoch = pw.IntegerField()
    joules = pw.FloatField(null=True)
    source = pw.TextField()

    class Meta:
        primary_key = pw.CompositeKey("run", "epoch")


class LoadRow(Row):
    """What the last loads of a model with a context really took; ``taken`` lists bytes, the newest last."""

    server = pw.TextField()
    model = pw.TextField()
    context = pw.IntegerField()
    taken = JsonField(default=list)
    at = pw.FloatField()

    class Meta:
        primary_key = pw.CompositeKey("server", "model", "context")


class InstanceRow(Row):
    """A model instance that LAO loaded on a server and has not seen gone."""

    server = pw.TextField()
    instance = pw.TextField()
    model = pw.TextField()
    at = pw.FloatField()

    class Meta:
        primary_key = pw.CompositeKey("server", "instance")


class RejectionRow(Row):
    """A plan file that could not be taken, so that it is reported once and shown in the status."""

    file = pw.TextField(primary_key=True)
    digest = pw.TextField()
    reason = pw.TextField()
    at = pw.FloatField()


class DeadLetterRow(Row):
    """A queue message that nobody can read; kept for a person, the reconciler wakes its phase again."""

    id = pw.AutoField()
    queue = pw.TextField()
    data = pw.BlobField()
    error = pw.TextField()
    at = pw.FloatField()


class FactRow(Row):
    """A learned fact; ``digest`` is of its normalised text. A forgotten one stays, so that it is not learned again."""

    id = pw.AutoField()
    digest = pw.TextField(unique=True)
    text = pw.TextField()
    subject = pw.TextField(default="", index=True)
    origin = pw.TextField()
    plan = pw.TextField(default="")
    task = pw.IntegerField(null=True)
    commit = pw.TextField(null=True)
    forgotten = pw.BooleanField(default=False)
    at = pw.FloatField()


class ApprovalRow(Row):
    """A question to a person about a call. ``answer``: null while it is open, then yes, always, no or nobody."""

    id = pw.AutoField()
    run = pw.ForeignKeyField(RunRow, on_delete="CASCADE")
    label = pw.TextField()
    digest = pw.TextField()
    tool = pw.TextField()
    arguments = JsonField()
    reason = pw.TextField(default="")
    remember = JsonField(default=list)
    asked_at = pw.FloatField()
    answer = pw.TextField(null=True, index=True)
    note = pw.TextField(default="")
    answered_at = pw.FloatField(null=True)

    class Meta:
        indexes = ((("run", "label", "digest"), True),)


TABLES = (
    MetaRow,
    PlanRow,
    ChunkRow,
    TaskRow,
    DependencyRow,
    RunRow,
    StepRow,
    FindingRow,
    ValidationRow,
    TodoRow,
    ModelEventRow,
    AuditRow,
    WorkerRow,
    RejectionRow,
    DeadLetterRow,
    ProfileRow,
    EnergyRow,
    LoadRow,
    InstanceRow,
    FactRow,
    ApprovalRow,
)
