"""``lao doctor --durability``: turns the figures of ``lao.durable.trial`` into findings."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lao.cli.context import Session, say
from lao.cli.doctor.rows import Check

if TYPE_CHECKING:
    from lao.durable.trial import Trial


def examine(session: Session, seed: int | None) -> list[Check]:
    """Try the disk of the state in a temporary folder beside it, which is removed again."""
    from lao.durable import trial

    state = session.settings().paths.database
    beside = next(parent for parent in state.parents if parent.exists())
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    folder = Path(tempfile.mkdtemp(prefix=".lao-trial-", dir=beside))
    say(f"trying {folder} for some {trial.SECONDS:.0f} seconds, seed {seed}")
    try:
        done = trial.run(folder, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [_fsync(done), _kills(done), _tears(done), _second(done)]


def _fsync(done: Trial) -> Check:
    text = f"{done.fsyncs} fsyncs of 4 KB took {done.fsync_ms:.3f} ms each (median), {done.plain_ms:.3f} ms without"
    if not done.waits:
        remedy = "the disk does not wait: a power cut may take acknowledged work; put the state on another disk"
        return Check("fsync", "warn", text, remedy)
    return Check("fsync", "ok", text)


def _kills(done: Trial) -> Check:
    text = (
        f"{done.kills} writers killed with -9, {done.acknowledged} transactions acknowledged, "
        f"{done.lost} lost, {done.corrupt} damaged files"
    )
    return _judged("kill -9", text, bad=done.lost + done.corrupt, injected=done.kills, least=done.least_kills)


def _tears(done: Trial) -> Check:
    text = (
        f"{done.tears} torn write-ahead logs, {done.tears - done.bad_tears} opened as a whole prefix; "
        f"{done.noticed} of {done.losing} that lost witnessed work refused"
    )
    bad = done.bad_tears + done.losing - done.noticed
    return _judged("torn writes", text, bad=bad, injected=min(done.tears, done.losing), least=done.least_tears)


def _second(done: Trial) -> Check:
    text = f"{done.refused} of {done.seconds_tried} second workers refused with the pid of the first"
    bad = done.seconds_tried - done.refused
    return _judged("second worker", text, bad=bad, injected=done.seconds_tried, least=1)


def _judged(name: str, text: str, *, bad: int, injected: int, least: int) -> Check:
    if bad:
        return Check(
            name, "fail", text, "do not keep the state on this disk; a local disk with ext4, xfs, APFS will do"
        )
    if injected < least:
        return Check(
            name, "fail", f"{text}: too few faults to say anything", "try again while the machine is less busy"
        )
    return Check(name, "ok", text)
