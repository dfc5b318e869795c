"""Promises of the plan's repository: one commit per step whatever is killed, the user's own work left alone."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lao.config.settings import GitSettings
from lao.core.errors import AttemptFailed, BadInput, DiskFull, Terminal, Transient
from lao.core.steps import DirectSteps, Effect, StepKind
from lao.durable.processes import FileLock
from lao.workspace.commits import Commit
from lao.workspace.git import Repository
from lao.workspace.git_calls import Git

SETTINGS = GitSettings(enabled=True, plan_file_name="LAO_PLAN.md", commit_trailers=True, worktrees=False)
DATE = 1_800_000_000


@pytest.fixture(autouse=True)
def user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with a name and no other settings, whatever this machine's own are."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.org\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    for name in ("GIT_CONFIG_GLOBAL", "XDG_CONFIG_HOME", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "EMAIL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "project" / "plan"


def repository(root: Path, **more: Any) -> Repository:
    return Repository(root, settings=SETTINGS, state_dir=root.parent / ".lao", **more)


@pytest.fixture
def repo(root: Path) -> Repository:
    """A fresh repository with one commit."""
    repo = repository(root)
    repo.ensure()
    commit(repo, "init")
    return repo


def git(root: Path, *args: str) -> str:
    return subprocess.run(["git", *args], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


def commit(repo: Repository, step: str, message: str = "lao(coder): work", **more: Any) -> str | None:
    return repo.commit_step(DirectSteps(), "commit", message=message, step_id=step, date=DATE, **more)


def effect(root: Path, step: str, **more: Any) -> Commit:
    return Commit(Git(root), f"work\n\nLAO-Step: {step}\n", step, DATE, **more)


def through_json(value: Any) -> Any:
    return json.loads(json.dumps(value))


def steps_in(root: Path) -> list[str]:
    return [s for s in git(root, "log", "--format=%(trailers:key=LAO-Step,valueonly)").splitlines() if s]


def test_new_repository(root: Path) -> None:
    """A plan without a repository gets one with a .gitignore; ensuring again changes nothing."""
    repo = repository(root)
    assert repo.ensure() is True
    assert "node_modules/" in (root / ".gitignore").read_text()
    assert git(root, "symbolic-ref", "HEAD") == "refs/heads/main"
    assert repo.head() is None
    assert repo.ensure() is False
    assert "fsync" not in (root / ".git/config").read_text()


def test_existing_repository_is_left_as_it_is(root: Path) -> None:
    """Branch, configuration and ignore rules of the user stay; nothing is initialised again."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "trunk")
    git(root, "config", "user.name", "Local")
    before = (root / ".git/config").read_text()
    repo = repository(root)
    assert repo.ensure() is False
    assert not (root / ".gitignore").exists()
    (root / "a").write_text("1")
    commit(repo, "s1")
    assert (root / ".git/config").read_text() == before
    assert git(root, "log", "-1", "--format=%an <%ae> %D") == "Local <ada@example.org> HEAD -> trunk"


def test_killed_init_is_finished(root: Path) -> None:
    """A .git that a killed git init left without objects is completed, not reported as broken for ever."""
    (root / ".git/refs").mkdir(parents=True)
    (root / ".git/HEAD").write_text("ref: refs/heads/main\n")
    repo = repository(root)
    assert repo.ensure() is True
    assert commit(repo, "s1")


def test_broken_repository_is_bad_input(root: Path) -> None:
    """A .git that is no repository, or a file that points nowhere, is one clear message."""
    root.mkdir(parents=True)
    (root / ".git").write_text("gitdir: /nowhere/at/all\n")
    with pytest.raises(BadInput, match="points nowhere"):
        repository(root).ensure()


def test_repository_above_is_never_used(root: Path) -> None:
    """When the plan's .git has vanished, git must not find the user's repository above it."""
    root.mkdir(parents=True)
    git(root.parent, "init", "-q", "-b", "main")
    repo = repository(root)
    repo.ensure()
    (root / "a").write_text("1")
    commit(repo, "s1")
    assert git(root.parent, "for-each-ref") == ""
    assert git(root, "rev-parse", "--show-toplevel") == str(root.resolve())


def test_no_git(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git on PATH: one message with the way out."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(BadInput, match="git is not on PATH") as caught:
        repository(root).ensure()
    assert "--no-git" in caught.value.hint
    with pytest.raises(BadInput, match="git is not on PATH"):
        repository(root).available()


def test_no_identity(root: Path, tmp_path: Path) -> None:
    """A git that does not know its user: the two commands are named, nothing is invented from the host's name."""
    (tmp_path / "home/.gitconfig").write_text("")
    with pytest.raises(BadInput, match="who you are") as caught:
        repository(root).ensure()
    assert "user.name" in caught.value.hint
    assert "user.email" in caught.value.hint
    with pytest.raises(BadInput, match="who you are"):
        commit(repository(root), "s1")


def test_commit_has_everything(repo: Repository, root: Path) -> None:
    """New, changed and deleted files; fixed date, the user's identity, the trailers; a clean status afterwards."""
    (root / "d").mkdir()
    (root / "d/new ü.txt").write_text("1")
    (root / "gone").write_text("1")
    commit(repo, "s1")
    (root / "gone").unlink()
    (root / "d/new ü.txt").write_text("2")
    made = commit(repo, "run 1/7", "lao(coder): " + "x" * 100, body="Plan-ID: 1", trailers={"LAO-Plan-ID": "p1"})
    assert made == repo.head()
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "ls-tree", "-r", "--name-only", "-z", "HEAD").split("\0")[:-1] == [".gitignore", "d/new ü.txt"]
    text = git(root, "log", "-1", "--format=%an|%ae|%at|%cn|%ct|%s|%b")
    subject = "lao(coder): " + "x" * 59 + "…"
    expected = f"Ada|ada@example.org|{DATE}|Ada|{DATE}|{subject}|Plan-ID: 1\n\nLAO-Plan-ID: p1\nLAO-Step: run 1/7"
    assert text == expected
    assert len(subject) == 72


def test_trailers_are_a_choice_the_step_is_not(root: Path) -> None:
    """Without git.commit_trailers only LAO-Step remains."""
    off = GitSettings(enabled=True, plan_file_name="LAO_PLAN.md", commit_trailers=False, worktrees=False)
    repo = Repository(root, settings=off, state_dir=root.parent / ".lao")
    repo.ensure()
    commit(repo, "s1", trailers={"LAO-Plan-ID": "p1"})
    assert git(root, "log", "-1", "--format=%(trailers)") == "LAO-Step: s1"


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
    """Disk full is waited for, everything unexpected names the folder and what git said."""
    with pytest.raises(Terminal, match="unknown revision"):
        repo.diff("HEAD", "no-such-thing")
    fake = tmp_path / "bin"
    fake.mkdir()
    (fake / "git").write_text("#!/bin/sh\necho 'error: unable to write file: No space left on device' >&2\nexit 128\n")
    (fake / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    with pytest.raises(DiskFull):
        repo.diff("HEAD", "HEAD")


def test_diff_and_changed_files(root: Path, repo: Repository) -> None:
    """Between two commits, or from nothing; long patches are cut at a line with a note."""
    first = repo.head()
    (root / "a").write_text("one\n")
    second = commit(repo, "s1")
    assert second is not None
    assert "+one" in repo.diff(first, second)
    assert repo.changed_files(first, second) == ("a",)
    assert repo.changed_files(None, second) == (".gitignore", "a")
    assert "+one" in repo.diff(None, second)
    short = repo.diff(None, second, limit=80)
    assert "more characters of the diff" in short
    assert len(short) < 140


@contextmanager
def _unchanged(root: Path) -> Iterator[None]:
    def state() -> list[str]:
        return [git(root, *a) for a in (("status", "--porcelain"), ("worktree", "list"), ("for-each-ref",))]

    before, index = state(), (root / ".git/index").read_bytes()
    yield
    assert (state(), (root / ".git/index").read_bytes()) == (before, index)


def test_snapshot_is_exactly_the_commit(root: Path, repo: Repository) -> None:
    """Checks run on what was committed, not on what the coder does meanwhile; no trace is left."""
    (root / "run.sh").write_text("#!/bin/sh\necho committed\n")
    (root / "run.sh").chmod(0o755)
    (root / "link").symlink_to("run.sh")
    made = commit(repo, "s1")
    assert made is not None
    (root / "run.sh").write_text("half-")
    (root / "untracked").write_text("x")
    (root / "node_modules/dep").mkdir(parents=True)
    git(root, "status")
    with _unchanged(root), repo.snapshot(made) as folder:
        assert folder.is_relative_to(root.parent / ".lao/snapshots")
        assert sorted(p.name for p in folder.iterdir()) == [".git", ".gitignore", "link", "node_modules", "run.sh"]
        done = subprocess.run(["./run.sh"], cwd=folder, capture_output=True, text=True, check=True)
        assert done.stdout == "committed\n"
        assert (folder / "link").is_symlink()
        assert (folder / "node_modules/dep").is_dir()
        assert git(folder, "status", "--porcelain") == ""
        assert git(folder, "log", "-1", "--format=%H") == made
        (folder / "written-by-test").write_text("x")
    assert (root / "node_modules/dep").is_dir()
    assert list((root.parent / ".lao/snapshots").iterdir()) == []


def test_snapshots_of_dead_runs_are_removed(root: Path, repo: Repository) -> None:
    """What a killed worker left goes away; the snapshot of a live one stays, and borrowed folders are not emptied."""
    head = repo.head()
    assert head is not None
    (root / "node_modules").mkdir()
    (root / "node_modules/x").write_text("x")
    with repo.snapshot(head) as folder:
        dead = folder.parent.parent / "99999999-dead"
        dead.mkdir()
        (dead / "owner").write_text("boot:1:1.00:host")
        (dead / "node_modules").symlink_to(root / "node_modules")
        fresh = folder.parent.parent / f"{os.getpid()}-fresh"
        fresh.mkdir()
        assert repo.clean_snapshots() == 1
        assert folder.exists()
        assert fresh.exists()
    assert (root / "node_modules/x").exists()


def test_snapshot_of_an_unknown_commit(root: Path, repo: Repository) -> None:
    """A commit that does not exist is an error, and the half-made folder is gone."""
    with pytest.raises(Terminal), repo.snapshot("0" * 39 + "1"):
        pass
    assert list((root.parent / ".lao/snapshots").iterdir()) == []
