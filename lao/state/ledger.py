"""What happened, for people and reports: findings, validation runs, todos, model events, tool audit, dead letters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from lao.core.words import CommandResult, Finding, Json
from lao.state.records import Claim, finding_of
from lao.state.store import Store
from lao.state.tables import (
    AuditRow,
    ChunkRow,
    DeadLetterRow,
    FindingRow,
    ModelEventRow,
    TaskRow,
    TodoRow,
    ValidationRow,
)


def add_findings(store: Store, claim: Claim, findings: Iterable[Finding]) -> None:
    """Inside a transaction: keep the findings of a run."""
    for item in findings:
        FindingRow.create(
            plan=claim.run.plan_id, task=claim.run.task_id, run=claim.run.id, finding=item.to_json(), at=store.now()
        )


def findings_of(store: Store, *, plan_id: str | None = None, task_id: int | None = None) -> tuple[Finding, ...]:
    with store.reading():
        query = FindingRow.select().order_by(FindingRow.id)
        if plan_id is not None:
            query = query.where(FindingRow.plan == plan_id)
        if task_id is not None:
            query = query.where(FindingRow.task == task_id)
        return tuple(finding_of(row) for row in query)


def add_validations(
    store: Store, claim: Claim, moment: str, commit: str | None, results: Iterable[CommandResult]
) -> None:
    """Inside a transaction: keep what the checking commands really did. ``moment``: before, task or close."""
    for item in results:
        ValidationRow.create(
            plan=claim.run.plan_id,
            task=claim.run.task_id,
            run=claim.run.id,
            moment=moment,
            commit=commit,
            command=item.command,
            exit_code=item.exit_code,
            seconds=item.seconds,
            output=item.output,
            timed_out=item.timed_out,
            isolation=item.isolation,
            at=store.now(),
        )


def validations_of(store: Store, plan_id: str) -> tuple[dict[str, Json], ...]:
    """Every recorded command of a plan: task, moment, commit, command, exit_code, seconds, output, timed_out,
    isolation."""
    with store.reading():
        query = ValidationRow.select().where(ValidationRow.plan == plan_id).order_by(ValidationRow.id)
        return tuple(
            {
                "task": r.task_id,
                "moment": r.moment,
                "commit": r.commit,
                "command": r.command,
                "exit_code": r.exit_code,
                "seconds": r.seconds,
                "output": r.output,
                "timed_out": r.timed_out,
                "isolation": r.isolation,
            }
            for r in query
        )


def passed_before(store: Store, plan_id: str, command: str) -> bool:
    """Whether this command has ever passed in this plan."""
    with store.reading():
        return bool(
            ValidationRow.select()
            .where(
                ValidationRow.plan == plan_id,
                ValidationRow.command == command,
                ValidationRow.exit_code == 0,
                ValidationRow.timed_out == False,  # noqa: E712  # SQL, not Python
            )
            .exists()
        )


class TaskTodos:
    """The todo ledger of one task (the ``TodoStore`` of the tools)."""

    def __init__(self, store: Store, task_id: int) -> None:
        self._store = store
        self._task_id = task_id

    def get(self) -> list[dict[str, Json]]:
        with self._store.reading():
            rows = TodoRow.select().where(TodoRow.task == self._task_id).order_by(TodoRow.seq)
            return [{"id": str(r.seq), "content": r.content, "status": r.status} for r in rows]

    def set(self, items: list[dict[str, Json]]) -> None:
        with self._store.write():
            TodoRow.delete().where(TodoRow.task == self._task_id).execute()
            for seq, item in enumerate(items, 1):
                TodoRow.create(
                    task=self._task_id, seq=seq, content=str(item["content"]), status=str(item.get("status", "pending"))
                )


def open_todos(store: Store, task_id: int) -> tuple[str, ...]:
    items = TaskTodos(store, task_id).get()
    return tuple(i["content"] for i in items if i["status"] not in ("completed", "cancelled"))


@dataclass(frozen=True)
class AuditEntry:
    """One tool call: ``granted`` False when it was refused; ``ok`` is None when it did not run; ``isolation``: what
    surrounded its command, "" for other tools."""

    tool: str
    arguments: Json
    granted: bool
    reason: str
    ok: bool | None
    seconds: float
    isolation: str = ""


def add_audit(store: Store, run_id: int | None, entry: AuditEntry) -> None:
    """Keep one call; ``run_id`` is None for one that came from outside (``lao mcp-server``)."""
    with store.write():
        AuditRow.create(run=run_id, at=store.now(), **asdict(entry))


def audited(store: Store, run_id: int, tool: str) -> AuditEntry | None:
    """The last entry of a run under this name."""
    with store.reading():
        rows = AuditRow.select().where(AuditRow.run == run_id, AuditRow.tool == tool).order_by(AuditRow.id.desc())
        row = rows.first()
        return (
            AuditEntry(row.tool, row.arguments, row.granted, row.reason, row.ok, row.seconds, row.isolation)
            if row
            else None
        )


def add_model_event(
    store: Store,
    kind: str,
    *,
    role: str = "",
    model: str = "",
    seconds: float = 0.0,
    data: Json = None,
    prompt_tokens: int = 0,
) -> None:
    """A load, unload or gate decision, or a request for embeddings."""
    with store.write():
        ModelEventRow.create(
            kind=kind,
            role=role,
            model=model,
            seconds=seconds,
            data=data,
            prompt_tokens=prompt_tokens,
            at=store.now(),
        )


def note_chunk(store: Store, plan_id: str, seq: int, tasks: Sequence[dict[str, Json]]) -> None:
    """Keep a finished chunk of a plan's decomposition."""
    with store.write():
        ChunkRow.replace(plan=plan_id, seq=seq, tasks=list(tasks)).execute()


def set_task_result(task_id: int, *, files: Sequence[str], commit: str | None) -> None:
    """Inside a transaction: what the last attempt changed (files add up over attempts)."""
    row = TaskRow.get_by_id(task_id)
    files = sorted({*row.files, *files})
    TaskRow.update(files=files, commit=commit or row.commit).where(TaskRow.id == task_id).execute()


def add_dead_letter(store: Store, queue: str, data: bytes, error: str) -> None:
    with store.write():
        DeadLetterRow.create(queue=queue, data=data, error=error, at=store.now())


def forget_dead_letters(store: Store) -> tuple[tuple[str, str, float], ...]:
    """Remove all unreadable messages that were kept; returns them, (queue, error, at), the newest first."""
    with store.write():
        rows = tuple(DeadLetterRow.select().order_by(DeadLetterRow.id.desc()))
        DeadLetterRow.delete().execute()
        return tuple((row.queue, row.error, row.at) for row in rows)
