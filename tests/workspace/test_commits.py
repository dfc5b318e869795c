"""Promises of keyed commits: one a step whatever is killed, and only what belongs into it."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lao.core.errors import AttemptFailed, DiskFull, LaoError, Terminal, Transient
from lao.core.steps import DirectSteps, Effect, StepKind
from lao.durable.owners import FileLock
from lao.workspace.commits import Commit
from lao.workspace.git import Repository
from lao.workspace.git_calls import Git
from tests.workspace.plan_repository import DATE, commit, effect, git, repository, steps_in, through_json


def test_no_change_makes_no_commit(repo: Repository, root: Path) -> None:
    """Nothing changed: None, and HEAD stays; also in an empty new repository."""
    head = repo.head()
    assert commit(repo, "s2") is None
    assert repo.head() == head
    empty = repository(root.parent / "empty")
    empty.ensure()
    (root.parent / "empty/.gitignore").unlink()
    assert commit(empty, "s1") is None
    assert empty.head() is None
    assert not list((root / ".git").glob("lao-index-*"))


CrashPoint = Callable[[Commit, Any], None]


def _nothing(effect: Commit, intent: Any) -> None:
    """Killed after the intent was recorded."""


def _object_only(effect: Commit, intent: Any) -> None:
    """Killed between commit-tree and update-ref."""
    effect._write(intent)


def _without_index(effect: Commit, intent: Any) -> None:
    """Killed between update-ref and the refresh of the index."""
    assert effect._move(intent, effect._write(intent))


def _applied(effect: Commit, intent: Any) -> None:
    """Killed before the result was recorded."""
    effect.apply(intent)


def _index_lost(effect: Commit, intent: Any) -> None:
    """Power cut: the temporary index did not survive."""
    effect._index.unlink()


@pytest.mark.parametrize("crash", [_nothing, _object_only, _without_index, _applied, _index_lost])
@pytest.mark.parametrize("first", [False, True])
def test_exactly_one_commit_after_a_crash(root: Path, crash: CrashPoint, first: bool) -> None:
    """Wherever the worker dies, the resumed run ends with one commit per step, the same id, and a clean status."""
    repo = repository(root)
    repo.ensure()
    if not first:
        commit(repo, "init")
    (root / "a").write_text("1")
    untouched = effect(root, "run/1")
    intent = through_json(untouched.prepare())
    expected = untouched._write(intent)
    crash(effect(root, "run/1"), intent)

    resumed = effect(root, "run/1")
    found = resumed.probe(intent)
    result = found if found is not None else resumed.apply(intent)
    assert result == {"commit": expected} == through_json(result)
    assert (found is not None) == (crash in (_without_index, _applied))
    assert repo.head() == expected
    assert steps_in(root).count("run/1") == 1
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "fsck", "--strict", "--no-dangling") == ""
    assert not list((root / ".git").glob("lao-index-*"))


def test_prepare_again_after_a_kill(root: Path, repo: Repository) -> None:
    """A prepare that was killed, even with git's lock on its index, is simply done again."""
    (root / "a").write_text("1")
    first = effect(root, "run/1")
    intent = first.prepare()
    (first._index.with_name(first._index.name + ".lock")).write_text("")
    assert effect(root, "run/1").prepare() == intent


def test_a_foreign_commit_in_between(root: Path, repo: Repository) -> None:
    """The user committed between the crash and the resume: nothing of theirs is lost, the step is still one commit."""
    (root / "a").write_text("1")
    intent = through_json(effect(root, "run/1").prepare())
    (root / "b").write_text("theirs")
    git(root, "add", "b")
    git(root, "commit", "-q", "-m", "theirs")
    resumed = effect(root, "run/1")
    assert resumed.probe(intent) is None
    made = resumed.apply(intent)["commit"]
    assert resumed.probe(intent) == {"commit": made}
    assert git(root, "log", "--format=%s").splitlines() == ["work", "theirs", "lao(coder): work"]
    assert git(root, "ls-files").split() == [".gitignore", "a", "b"]
    assert git(root, "status", "--porcelain") == ""


def test_redo_after_later_commits(root: Path, repo: Repository) -> None:
    """The step's commit lies below HEAD: found, not made again."""
    (root / "a").write_text("1")
    first = effect(root, "run/1")
    intent = through_json(first.prepare())
    made = first.apply(intent)
    (root / "b").write_text("1")
    commit(repo, "run/2")
    assert effect(root, "run/1").probe(intent) == made
    assert effect(root, "run/1").apply(intent) == made
    assert steps_in(root) == ["run/2", "run/1", "init"]


@pytest.mark.parametrize("paths", [("a", "b", "gone"), None])
def test_settled_after_later_commits(root: Path, repo: Repository, paths: tuple[str, ...] | None) -> None:
    """Killed between branch and index, and another step went first: the index follows, what the user staged stays."""
    for name in ("a", "b", "gone"):
        (root / name).write_text("1")
        if name != "b":
            commit(repo, f"before {name}")
    (root / "a").write_text("2")
    (root / "gone").unlink()
    killed = effect(root, "run/1", paths=paths)
    intent = through_json(killed.prepare())
    _without_index(killed, intent)
    git(root, "add", "--", "a")
    (root / "a").write_text("the user's")
    git(root, "add", "--", "a")
    (root / "other").write_text("1")
    commit(repo, "run/2", paths=("other",))
    assert effect(root, "run/1", paths=paths).probe(intent)
    assert steps_in(root)[:2] == ["run/2", "run/1"]
    assert git(root, "status", "--porcelain") == "M  a"
    assert not list((root / ".git").glob("lao-index-*"))


def test_a_branch_that_never_rests(root: Path, repo: Repository) -> None:
    """Somebody moves the branch each time: an attempt fails, nothing hangs."""

    class Restless(Commit):
        def _move(self, intent: Any, commit: str) -> bool:
            (root / "x").write_text(commit)
            git(root, "commit", "-q", "--allow-empty", "-m", "theirs")
            return super()._move(intent, commit)

    (root / "a").write_text("1")
    restless = Restless(Git(root), "work\n\nLAO-Step: r\n", "r", DATE)
    with pytest.raises(AttemptFailed, match="moved 3 times"):
        restless.apply(restless.prepare())


def test_detached_head(root: Path, repo: Repository) -> None:
    """With a detached HEAD the commit goes there and no branch moves."""
    main = git(root, "rev-parse", "main")
    git(root, "checkout", "-q", "--detach")
    (root / "a").write_text("1")
    made = commit(repo, "s1")
    assert git(root, "rev-parse", "HEAD") == made
    assert git(root, "rev-parse", "main") == main


def test_linked_work_tree(root: Path, repo: Repository) -> None:
    """A plan folder that is a linked work tree (its .git is a file) is committed to, and can be laid out."""
    linked = root.parent / "linked"
    git(root, "worktree", "add", "-q", "-b", "side", str(linked))
    side = repository(linked)
    assert side.ensure() is False
    (linked / "a").write_text("1")
    made = commit(side, "s1")
    assert git(root, "rev-parse", "side") == made
    assert git(linked, "status", "--porcelain") == ""
    assert made is not None
    with side.snapshot(made) as folder:
        assert (folder / "a").read_text() == "1"


def test_a_stale_lock_of_a_linked_work_tree_goes(root: Path, repo: Repository) -> None:
    """T4: its branch, and the lock that a dead git left, are in the main repository; LAO used to wait for ever."""
    linked = root.parent / "side"
    git(root, "worktree", "add", "-q", "-b", "side", str(linked))
    (root / ".git/refs/heads/side.lock").write_text("")
    (root / ".git/refs/heads/main.lock").write_text("")
    (linked / "a").write_text("1")
    assert commit(repository(linked), "s1") is not None
    assert not (root / ".git/refs/heads/side.lock").exists()
    assert (root / ".git/refs/heads/main.lock").exists()  # of a branch that somebody else may be at


def test_dirty_paths_of_the_user_stay_out(root: Path) -> None:
    """What the user had changed before LAO came is not committed, stays staged if it was, until it changes again."""
    root.mkdir(parents=True)
    git(root, "init", "-q")
    for name in ("edited", "staged", "deleted", "calm"):
        (root / name).write_text("old")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "theirs")
    (root / "edited").write_text("mine")
    (root / "staged").write_text("mine")
    git(root, "add", "staged")
    (root / "deleted").unlink()
    (root / "odd [x] *.txt").write_text("mine")
    baseline = repository(root).dirty_paths()
    assert sorted(p for p, _ in baseline) == ["deleted", "edited", "odd [x] *.txt", "staged"]
    assert dict(baseline)["deleted"] is None

    repo = repository(root, baseline_dirty=baseline)
    (root / "calm").write_text("lao")
    (root / "new").write_text("lao")
    commit(repo, "s1")
    assert repo.changed_files("HEAD~1", "HEAD") == ("calm", "new")
    status = git(root, "-c", "core.quotePath=false", "status", "--porcelain").splitlines()
    assert sorted(line.strip() for line in status) == ['?? "odd [x] *.txt"', "D deleted", "M  staged", "M edited"]
    (root / "edited").write_text("lao")
    commit(repo, "s2")
    assert repo.changed_files("HEAD~1", "HEAD") == ("edited",)


def test_only_named_paths(root: Path, repo: Repository) -> None:
    """A commit of named paths takes these, also ignored and deleted ones, and leaves half-done work alone."""
    (root / ".gitignore").write_text("*.log\n")
    (root / "old").write_text("1")
    commit(repo, "s1")
    (root / "old").unlink()
    (root / "LAO_REVIEW.log").write_text("line\n")
    (root / "half.py").write_text("def f(")
    git(root, "add", "half.py")
    commit(repo, "s2", paths=("LAO_REVIEW.log", "old", "never-there"))
    assert repo.changed_files("HEAD~1", "HEAD") == ("LAO_REVIEW.log", "old")
    assert git(root, "status", "--porcelain") == "A  half.py"
    assert commit(repo, "s3", paths=("LAO_REVIEW.log",)) is None


def test_temporary_files_of_a_killed_writer_stay_out(root: Path, repo: Repository) -> None:
    """A half-written temporary file is never committed."""
    (root / "d").mkdir()
    (root / "d/.lao-123-abc.tmp").write_text("half")
    assert commit(repo, "s1") is None


def test_quick_edits_are_seen(root: Path, repo: Repository) -> None:
    """An edit of the same size within the same clock tick as the last commit is committed (racy index)."""
    (root / "a").write_text("0")
    commit(repo, "start")
    for number in range(1, 6):
        (root / "a").write_text(str(number))
        assert commit(repo, f"s{number}") is not None
        assert git(root, "show", "HEAD:a") == str(number)


def test_stale_lock_of_a_killed_git(root: Path, repo: Repository) -> None:
    """Lock files that no live git holds are removed, and the commit goes on."""
    for name in ("HEAD.lock", "refs/heads/main.lock", "index.lock"):
        (root / ".git" / name).write_text("")
    (root / "a").write_text("1")
    assert commit(repo, "s1", paths=("a",))
    assert not list((root / ".git").rglob("*[!o].lock"))


def test_lock_that_is_left_after_the_branch_has_moved(root: Path, repo: Repository) -> None:
    """git moves the branch before it lets go of HEAD: the resumed step, with nothing to move, removes that too."""
    (root / "a").write_text("1")
    step = effect(root, "run/1")
    intent = through_json(step.prepare())
    made = step.apply(intent)
    (root / ".git" / "HEAD.lock").write_text("")
    assert effect(root, "run/1").probe(intent) == made
    git(root, "commit", "--allow-empty", "-q", "-m", "the user's next")


def test_lock_of_a_live_git_is_respected(root: Path, repo: Repository) -> None:
    """While another git works there its lock stays, and the phase is tried again later."""
    (root / ".git/HEAD.lock").write_text("")
    (root / ".git/refs/heads/main.lock").write_text("")
    (root / "a").write_text("1")
    with subprocess.Popen(["git", "cat-file", "--batch"], cwd=root, stdin=-1, stdout=-1) as live:
        with pytest.raises(Transient):
            commit(repo, "s1")
        assert live.stdin is not None
        live.stdin.close()
    assert commit(repo, "s1")


def test_commits_of_one_repository_wait_for_each_other(root: Path, repo: Repository, monkeypatch: Any) -> None:
    """A second worker of the same plan waits, and after the limit is sent away for a while."""
    monkeypatch.setattr("lao.workspace.git._LOCK_WAIT_S", 0.05)
    with FileLock(root / ".git/lao.lock"), pytest.raises(Transient, match="held by process"):
        commit(repo, "s1")


def test_effect_goes_through_the_journal(root: Path, repo: Repository) -> None:
    """The commit is one effect step, so that the journal records its intent first."""
    labels: list[str] = []

    class Noted(DirectSteps):
        def run(self, kind: StepKind, label: str, fn: Callable[[], Any]) -> Any:
            raise AssertionError(label)

        def effect(self, label: str, effect: Effect) -> Any:
            labels.append(label)
            return super().effect(label, effect)

    (root / "a").write_text("1")
    repo.commit_step(Noted(), "commit:code", message="m", step_id="s", date=DATE)
    assert labels == ["commit:code"]


def test_hooks_and_signing_of_the_user_do_not_run(root: Path, repo: Repository, tmp_path: Path) -> None:
    """No hook, no signing program, no gc is started by a commit."""
    hook = root / ".git/hooks/reference-transaction"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch ran\nexit 1\n")
    hook.chmod(0o755)
    git(root, "config", "commit.gpgsign", "true")
    git(root, "config", "gpg.program", "/bin/false")
    (root / "a").write_text("1")
    assert commit(repo, "s1")
    assert not (root / "ran").exists()


def test_git_failures_are_classified(root: Path, repo: Repository, tmp_path: Path, monkeypatch: Any) -> None:
    """A full disk, in both wordings, is waited for, everything unexpected names the folder and what git said."""
    with pytest.raises(Terminal, match="unknown revision"):
        repo.diff("HEAD", "no-such-thing")
    fake = tmp_path / "bin"
    fake.mkdir()
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    for words in ("unable to write file: No space left on device", "sha1 file write error. Out of diskspace"):
        (fake / "git").write_text(f"#!/bin/sh\necho 'fatal: {words}' >&2\nexit 128\n")
        (fake / "git").chmod(0o755)
        with pytest.raises(DiskFull):
            repo.diff("HEAD", "HEAD")


def test_a_git_that_is_killed_is_run_again(root: Path, repo: Repository, tmp_path: Path, monkeypatch: Any) -> None:
    """T4: kill -9 of one git (out of memory, Ctrl-C for the group) is waited for; it used to fail task or plan."""
    (tmp_path / "git").write_text("#!/bin/sh\nkill -9 $$\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(Transient, match=r"(?s)git diff .*ended by signal 9"):
        repo.diff("HEAD", "HEAD")


@pytest.mark.parametrize(
    "said", ["fatal: fsync error on x: Input/output error", "fatal: update_ref failed for ref: couldn't write 'a.lock'"]
)
def test_a_disk_that_fails_under_git_is_not_the_tasks_fault(
    root: Path, repo: Repository, tmp_path: Path, monkeypatch: Any, said: str
) -> None:
    """T9: git's words for an I/O error are an unexpected error, which is tried again; it used to fail task or plan."""
    (tmp_path / "git").write_text(f'#!/bin/sh\necho "{said}" >&2\nexit 128\n')
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(LaoError, match=re.escape(said)) as caught:
        repo.diff("HEAD", "HEAD")
    assert type(caught.value) is LaoError


@pytest.mark.parametrize("moved", [False, True])
def test_a_lock_that_a_power_cut_brought_back_goes(repo: Repository, root: Path, moved: bool) -> None:
    """Resumed before or after the move of the branch, the step leaves nothing of its index in .git."""
    (root / "new").write_text("new\n")
    step = effect(root, "s9")
    intent = through_json(step.prepare())
    if moved:
        step.apply(intent)
    digest = hashlib.sha256(b"s9").hexdigest()[:16]
    (root / ".git" / f"lao-index-{digest}.lock").write_bytes(b"half")
    found = step.probe(intent)
    assert (found is not None) == moved
    assert (found or step.apply(intent))["commit"] == repo.head()
    assert not list((root / ".git").glob("lao-index-*"))
